# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Add-ons: what a folder says (definition, fields), in which order (order), as manifests (rendering), in a cluster."""
