"""A loopback page that draws ``grafana/``'s dashboards with live data, for people without Grafana and for CI.

It is a preview and says so: what it cannot draw it names in the panel. ``server`` answers requests, ``proxy``
passes queries to Prometheus, ``files`` finds what is served; whatever is drawn is drawn by ``static/``.
It knows nothing of metrics: panels and queries come from the dashboards' JSON alone.
"""
