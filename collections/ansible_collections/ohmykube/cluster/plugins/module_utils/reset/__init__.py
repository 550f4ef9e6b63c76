# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a Kubernetes node leaves on its machine, beyond files that somebody recorded: each file clears one concern."""
