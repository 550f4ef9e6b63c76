# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Helm charts: what they are rendered with (release), by which program (helm), and what is taken of it (objects)."""
