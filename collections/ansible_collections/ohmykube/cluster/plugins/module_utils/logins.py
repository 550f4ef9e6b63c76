# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""User and password in a URL: kept apart from it, so that whatever shows or stores the URL cannot tell them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote, urlsplit, urlunsplit

Logins = Mapping[str, str]  # scheme, host and port → the header `Authorization` that is for nobody else
NO_LOGINS: Logins = MappingProxyType({})

_LOGIN = re.compile(r"(?<=:)//[^/]*@")
_PORTS = {"http": ":80", "https": ":443"}


def split_login(url: str) -> tuple[str, Logins]:
    """The URL without user and password, and these as what is sent to its host."""
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    if not at:
        return url, NO_LOGINS
    user, _, password = login.partition(":")
    word = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    bare = urlunsplit(parts._replace(netloc=place))
    return bare, {_origin(bare): f"Basic {word}"}


def login_for(url: str, logins: Logins) -> str:
    """The header `Authorization` for this URL; empty where its host, port or scheme is another one."""
    return logins.get(_origin(url), "")


def without_login(text: str) -> str:
    """For messages, where it may not even be a URL."""
    return _LOGIN.sub("//", text)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(_PORTS.get(parts.scheme, ''))}"
