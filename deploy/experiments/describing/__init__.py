"""What an experiment is: scenario files with their rules and reference, the table of faults, and the plan
that a seed makes of a scenario. Nothing here runs anything.
"""
