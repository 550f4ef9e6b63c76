# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations


class ModuleDocFragment:
    """What the attributes of modules mean. Each module says how far it supports them."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing anything.
  diff_mode:
    description: Returns what changed, or would change in check mode.
  idempotent:
    description: A second run with the same options changes nothing.
"""

    ON_CONTROLLER = r"""
options: {}
attributes:
  action:
    description: Has a corresponding action plugin, which does its work on the controller.
  async:
    description: Can be run in the background.
"""
