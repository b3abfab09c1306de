"""What people watch a cluster with: Prometheus, its rules, Grafana's dashboards, and the checks on them."""
