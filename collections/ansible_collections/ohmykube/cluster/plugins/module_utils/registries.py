# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What containerd is told of registries: mirrors, certificates and logins, by the registry's host.

Formats: https://github.com/containerd/containerd/blob/main/docs/hosts.md, and the file that `docker login` writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import split_login, without_login

FOLDER = "/etc/containerd/certs.d"
ALL_OTHERS = "_default"
_HUB = "docker.io"
_SERVERS = {_HUB: "registry-1.docker.io"}  # where a registry is that is called otherwise
# Under which names `docker login` keeps the login for a host.
_LOGIN_NAMES = ("{}", "https://{}", "http://{}", "https://{}/v1/", "https://{}/v2/")
_HUB_LOGIN_NAMES = ("https://index.docker.io/v1/", "index.docker.io")
_KEYS = frozenset({"mirrors", "ca", "insecure", "credentials"})


@dataclass(frozen=True)
class Host:
    """How a host is spoken to. ca: certificates (PEM) that vouch for it. login: the header `Authorization`."""

    ca: str = ""
    insecure: bool = False
    login: str = ""


def files(registries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files of a node, as the module `service` takes them. Raises OhmykubeError `registry.*`.

    registries: host → mirrors, URLs asked in this order before the host itself; ca, a file on this computer; insecure;
    credentials, a file as `docker login` writes it. What is said of a host holds where it is a mirror too.
    """
    hosts = {name: _host(name, entry) for name, entry in registries.items()}
    made: list[dict[str, Any]] = []
    for name, entry in registries.items():
        content, secret = _hosts_toml(name, entry.get("mirrors") or (), hosts)
        place = f"{FOLDER}/{name}/hosts.toml"
        kind = {"secret_content": content, "mode": "0600"} if secret else {"content": content}
        made.append({"path": place, "restart": False, **kind})
        if hosts[name].ca:
            made.append({"path": _ca_path(name), "restart": False, "content": hosts[name].ca})
    return made


def check_mirror(url: str) -> None:
    """Raises OhmykubeError `registry.login` and `registry.mirror`."""
    bare, logins = split_login(url)
    if logins:
        hint = f"name the file of `docker login` as credentials of the registry {urlsplit(bare).netloc}"
        raise OhmykubeError("registry.login", f"{without_login(url)} has a login in it", hint=hint)
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise OhmykubeError(
            "registry.mirror", f"{url!r} is no URL of a mirror", hint="write one like https://mirror.example.org"
        )


def read_ca(path: Path) -> str:
    """Its text. Raises OhmykubeError `registry.ca`."""
    text = _read(path, "registry.ca")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise OhmykubeError("registry.ca", f"{path} holds no certificate", hint="it is to be in PEM form")
    return text


def read_login(path: Path, host: str) -> str:
    """The header `Authorization` for the host. Raises OhmykubeError `registry.credentials`."""
    code, again = "registry.credentials", f"`docker login {host}` writes one"
    try:
        logins = json.loads(_read(path, code)).get("auths", {})
    except (ValueError, AttributeError) as error:
        raise OhmykubeError(code, f"{path} is not a file that `docker login` has written", hint=again) from error
    names = (*(_HUB_LOGIN_NAMES if host == _HUB else ()), *(name.format(host) for name in _LOGIN_NAMES))
    login = next((word for name in names if (word := _word(logins, name))), "")
    if not login:
        hint = f"{again}, where no credential helper keeps it (credsStore in that file)"
        raise OhmykubeError(code, f"{path} holds no login for {host}", hint=hint)
    return f"Basic {login}"


def read_proxy(path: Path) -> str:
    """A proxy's URL, which may have a password. Raises OhmykubeError `proxy.url`."""
    hint = "a proxy is a URL like http://proxy.example.org:3128, or a file that holds one"
    url = _read(path, "proxy.url", hint).strip()
    if urlsplit(url).scheme not in ("http", "https"):
        raise OhmykubeError("proxy.url", f"{path} holds no URL of a proxy", hint=hint)
    return url


def _word(logins: Any, name: str) -> str:
    entry = logins.get(name) if isinstance(logins, dict) else None
    word = entry.get("auth") if isinstance(entry, dict) else None
    return word if isinstance(word, str) else ""


def _host(name: str, entry: Mapping[str, Any]) -> Host:
    if unknown := sorted(set(entry) - _KEYS):
        hint = f"known are {', '.join(sorted(_KEYS))}"
        raise OhmykubeError("registry.unknown", f"registry {name}: unknown key {unknown[0]!r}", hint=hint)
    for mirror in entry.get("mirrors") or ():
        check_mirror(mirror)
    ca, credentials = entry.get("ca"), entry.get("credentials")
    return Host(
        ca=read_ca(Path(ca)) if ca else "",
        insecure=bool(entry.get("insecure")),
        login=read_login(Path(credentials), name) if credentials else "",
    )


def _hosts_toml(name: str, mirrors: Any, hosts: Mapping[str, Host]) -> tuple[str, bool]:
    """The file, and whether it holds a secret."""
    lines = [f"# Written by ohmykube: how {'any other registry' if name == ALL_OTHERS else name} is reached."]
    if name != ALL_OTHERS:
        lines.append(f"server = {_text(f'https://{_SERVERS.get(name, name)}')}")
    lines += _spoken_to(hosts[name], name, "")
    secret = bool(hosts[name].login)
    for mirror in mirrors:
        parts = urlsplit(mirror)
        host, table = hosts.get(parts.netloc, Host()), f"host.{_text(mirror)}"
        secret = secret or bool(host.login)
        lines += ["", f"[{table}]", '  capabilities = ["pull", "resolve"]']
        if parts.path.startswith("/v2/"):  # a project of a registry that is a mirror, and not a registry below a path
            lines.append("  override_path = true")
        lines += _spoken_to(host, parts.netloc, table)
    return "\n".join(lines) + "\n", secret


def _spoken_to(host: Host, name: str, table: str) -> list[str]:
    """Of the table; empty: of the whole file."""
    indent = "  " if table else ""
    lines = [f"{indent}ca = {_text(_ca_path(name))}"] if host.ca else []
    lines += [f"{indent}skip_verify = true"] if host.insecure else []
    header = f"{table}.header" if table else "header"
    return lines + ([f"{indent}[{header}]", f"{indent}  Authorization = {_text(host.login)}"] if host.login else [])


def _ca_path(name: str) -> str:
    return f"{FOLDER}/{name}/ca.crt"


def _text(value: str) -> str:
    """A string of TOML: those of JSON are that too."""
    return json.dumps(value)


def _read(path: Path, code: str, hint: str = "name a file of this computer that you may read") -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "it is no text"
        raise OhmykubeError(code, f"{path}: {words}", hint=hint, context={"path": path}) from error
