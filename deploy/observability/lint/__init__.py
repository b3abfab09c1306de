"""``python -m deploy.observability.lint``: dashboards and rules judged by the catalogue, without a server.

``series`` knows every name that can be asked for, ``variables`` puts values for Grafana's variables,
``promql`` judges an expression on the tree of a real parser, ``units`` what it measures, ``layout`` and
``dashboards`` judge a dashboard's JSON, ``rulefile`` the recording rules and alerts. What all of this proves,
and what not, is told in grafana/CHECKS.md. Needs promql-parser, which the extra ``dev`` brings.
"""
