"""A loopback page that draws the dashboards of ``grafana/`` with live data, for people without Grafana and for CI.

It is a preview and says so: what it cannot draw it names in the panel. ``server`` answers requests, ``proxy``
passes queries to Prometheus, ``files`` finds what is served; everything that is drawn is drawn by ``static/``.
It knows nothing of metrics: panels and queries come from the dashboards' JSON alone.
"""
