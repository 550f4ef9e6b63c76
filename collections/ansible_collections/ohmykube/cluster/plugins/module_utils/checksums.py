# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The checksum files that projects publish beside their releases."""

from __future__ import annotations

import re

_ALGORITHMS = {64: "sha256", 128: "sha512"}  # by the number of digits
_HEX = r"((?:[0-9a-fA-F]{64}){1,2})"
_BARE = re.compile(rf"\s*{_HEX}\s*")
_LINE = re.compile(rf"{_HEX} [ *](\S.*?)\s*")  # sha256sum, sha512sum: text and binary mode
_TAGGED = re.compile(rf"SHA(?:256|512) ?\((.+)\) ?= ?{_HEX}\s*")  # BSD


def algorithm(digest: str) -> str:
    """Which one made a sum, for hashlib: `sha256` or `sha512`."""
    return _ALGORITHMS[len(digest)]


def find_sum(text: str, name: str) -> str:
    """The sha256 or sha512 of the file `name` in a checksum file; empty where it is not in there.

    Understood: the bare sum, the lines of sha256sum, sha512sum and of BSD, among lines of anything else (a
    clear-signed file).
    """
    if match := _BARE.fullmatch(text):
        return match[1].lower()
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) and match[2].rsplit("/", 1)[-1] == name:
            return match[1].lower()
        if (match := _TAGGED.fullmatch(line)) and match[1].rsplit("/", 1)[-1] == name:
            return match[2].lower()
    return ""
