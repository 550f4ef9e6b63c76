#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_files
short_description: Place files and folders on a node, and take them back
description:
  - Places all files and folders of a list in one task, each file whole or not at all.
  - The list is the whole of it. A file that an earlier list had is taken back, which means that it is removed, or
    becomes what it was before it was first placed. So does a folder, unless somebody else's files are in it.
  - What was there before is kept on the node in C(/var/lib/ohmykube/originals).
  - A file or folder that is already as wanted is nobody's, and left alone when the list no longer has it.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  files:
    description: What is wanted. Of two for the same path the later counts.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path on the node. Missing folders on the way are made.
        type: str
        required: true
      content:
        description: The whole content, a text.
        type: str
      source:
        description:
          - A file on the controller, or a folder with all that is in it. A relative path is looked for as that of
            M(ansible.builtin.copy). No file may be larger than 1 MiB, no folder than 8 MiB.
          - A folder that the node has already is left as it is, with whatever else is in it.
        type: path
      directory:
        description: Whether it is a folder that is wanted, whatever is in it.
        type: bool
        default: false
      mode:
        description:
          - Permission bits, octal and in quotes. Without it V(0644), for an executable source V(0755), and for a new
            folder V(0755); a folder that is there keeps its own.
          - Of a O(files[].source) that is a folder, those of its files. New folders can then be entered by whoever can
            read the files.
        type: str
      owner:
        description: Name or number of the user whose it is. Without it root; a folder that is there keeps its own.
        type: str
      group:
        description: Name or number of the group, likewise.
        type: str
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The content of a file that not everybody may read is left out.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Place files
  ohmykube.cluster.node_files:
    files:
      - path: /etc/motd
        content: "This node is on loan.\n"
      - path: /etc/demo/token
        source: secrets/token
        mode: "0600"
      - path: /usr/local/share/ca-certificates
        source: certificates
      - path: /srv/data
        directory: true
        owner: "1000"

- name: Take them back
  ohmykube.cluster.node_files:
    files: []
"""

RETURN = r"""
changes:
  description: What changed or would change, a line each. Folders end with a slash.
  returned: always
  type: list
  elements: str
  sample: [/etc/demo/, /etc/demo/token, /etc/motd as it was before]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize import placing
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.wanted import items
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module

FILE = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "source": {"type": "path"},
    "directory": {"type": "bool", "default": False},
    "mode": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}
ARGUMENTS = {
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "mutually_exclusive": [("content", "source", "directory")],
        "required_one_of": [("content", "source", "directory")],
    },
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    """source: what the action has read of it."""
    try:
        wanted = placing.plan(host, items(options["files"]))
        if not check_mode:
            placing.apply(host, wanted)
    except OSError as error:
        hint = "run the task with become: true" if isinstance(error, PermissionError) else ""
        raise OhmykubeError("files.failed", f"{error.filename}: {error.strerror}", hint=hint) from error
    return changed(wanted.changes)


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
