# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Faults that a node is given on purpose: each plans, is watched over (keeper.py), and ends by itself."""
