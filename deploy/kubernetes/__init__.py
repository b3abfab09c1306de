"""Platforms in Kubernetes: a chart, an image recipe, and the keys of a release as Secrets."""
