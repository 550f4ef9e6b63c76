"""Nodes that fail on purpose, for a while: faults on the nodes themselves, and the power of their machines."""
