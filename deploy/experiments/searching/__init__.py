"""Runs on the twin by the thousand: ``vary`` and ``swarm`` draw them from seeds, ``explore`` plays every
order of messages, ``shrink`` leaves out what a failure does not need.
"""
