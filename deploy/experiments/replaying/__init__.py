"""Recorded runs again: ``replay`` feeds a node's story into a fresh core and tells the first divergence,
``diff`` compares two recordings by what happened.
"""
