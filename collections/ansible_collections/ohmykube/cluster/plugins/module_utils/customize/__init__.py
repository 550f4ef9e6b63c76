# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What somebody adds to nodes: files (places, sources, wanted, placing) and scripts at certain moments (hooks)."""
