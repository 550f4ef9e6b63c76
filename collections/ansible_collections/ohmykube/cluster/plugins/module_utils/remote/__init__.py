# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""How programs of the collection run on a node: code.py sends them, start.py keeps them, module.py is one of them."""
