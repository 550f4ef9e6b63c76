# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The checksum files that projects publish beside their releases."""

from __future__ import annotations

import re

_BARE = re.compile(r"\s*([0-9a-fA-F]{64})\s*")
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](\S.*?)\s*")  # sha256sum: text and binary mode
_TAGGED = re.compile(r"SHA256 ?\((.+)\) ?= ?([0-9a-fA-F]{64})\s*")  # BSD


def find_sum(text: str, name: str) -> str:
    """The sha256 of the file `name` in a checksum file; empty where it is not in there.

    Understood: the bare sum, the lines of sha256sum and of BSD, among lines of anything else (a clear-signed file).
    """
    if match := _BARE.fullmatch(text):
        return match[1].lower()
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) and match[2].rsplit("/", 1)[-1] == name:
            return match[1].lower()
        if (match := _TAGGED.fullmatch(line)) and match[1].rsplit("/", 1)[-1] == name:
            return match[2].lower()
    return ""
