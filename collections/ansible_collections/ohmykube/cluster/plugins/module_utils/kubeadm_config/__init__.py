# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What kubeadm is given: our documents with a user's merged over them, and patches. Pure; runs on the controller."""
