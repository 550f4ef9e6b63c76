# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The kernel's nftables, asked by netlink: which tables there are, which are empty, and away with some.

The program nft reads every table's content before it does anything, and older ones crash on what a newer one, such as
kube-proxy's own, has written (seen with 1.0.6).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping

from ansible_collections.ohmykube.cluster.plugins.module_utils.reset.netlink import (
    ACK,
    DUMP,
    REQUEST,
    answers,
    attributes,
    connected,
    message,
)

Table = tuple[str, str]  # family, name

_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_NUMBERS = {name: number for number, name in _FAMILIES.items()}
_NETFILTER = 12  # NETLINK_NETFILTER
_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
_NEWTABLE, _GETTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN, _DELCHAIN = range(6)
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_EMPTY_ONLY = 0x100  # NLM_F_NONREC: the kernel refuses to delete what has something in it
_TABLE_NAME, _TABLE_USE = 1, 3
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_USE = 1, 3, 4, 5, 6
_NUMBER = struct.Struct(">I")
_ACCEPT = 1
# A kernel that was built without, or has not loaded it: nothing can be in there.
_NO_NFTABLES = (errno.EINVAL, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP)


class Nftables:
    """Of the network namespace that this process is in; needs CAP_NET_ADMIN. Raises OSError where it is refused."""

    def tables(self) -> list[Table]:
        return [(family, _text(found[_TABLE_NAME])) for family, found in self._dump(_GETTABLE, _NEWTABLE)]

    def empty(self) -> list[Table]:
        """Tables with nothing but hooks in them that accept everything."""
        chains = self._dump(_GETCHAIN, _NEWCHAIN)
        idle: dict[Table, int] = {}
        for family, found in chains:
            table = family, _text(found[_CHAIN_TABLE])
            idle[table] = idle.get(table, 0) + _is_idle(found)
        tables = self._dump(_GETTABLE, _NEWTABLE)
        counted = {(family, _text(found[_TABLE_NAME])): _number(found[_TABLE_USE]) for family, found in tables}
        return [table for table, count in counted.items() if count == idle.get(table, 0)]

    def delete(self, table: Table) -> None:
        """With everything in it."""
        family, name = table
        self._change([_message(_kind(_DELTABLE), REQUEST | ACK, family, {_TABLE_NAME: name})])

    def discard(self, table: Table) -> None:
        """If it is empty, in one transaction: OSError EBUSY where somebody has just put something into it."""
        family, name = table
        flags = REQUEST | ACK | _EMPTY_ONLY
        chains = [
            _text(found[_CHAIN_NAME])
            for of, found in self._dump(_GETCHAIN, _NEWCHAIN)
            if (of, _text(found[_CHAIN_TABLE])) == table
        ]
        gone = [_message(_kind(_DELCHAIN), flags, family, {_CHAIN_TABLE: name, _CHAIN_NAME: chain}) for chain in chains]
        self._change([*gone, _message(_kind(_DELTABLE), flags, family, {_TABLE_NAME: name})])

    def _dump(self, ask: int, told: int) -> list[tuple[str, Mapping[int, bytes]]]:
        """Family and attributes of each message that answers."""
        try:
            with connected(_NETFILTER) as kernel:
                kernel.send(_message(_kind(ask), REQUEST | DUMP))
                found = [body for kind, body in answers(kernel, 1) if kind == _kind(told)]
        except OSError as error:
            if error.errno in _NO_NFTABLES:
                return []
            raise
        return [(_FAMILIES.get(body[0], str(body[0])), dict(attributes(body))) for body in found]

    def _change(self, operations: list[bytes]) -> None:
        """All of them or none."""
        begin, end = (_message(kind, REQUEST, resource=_NFTABLES) for kind in (_BATCH_BEGIN, _BATCH_END))
        with connected(_NETFILTER) as kernel:
            kernel.send(b"".join([begin, *operations, end]))
            for _ in answers(kernel, len(operations)):
                pass


def _is_idle(chain: Mapping[int, bytes]) -> bool:
    """A hook without rules, not a chain that somebody made for jumps."""
    accepts = _CHAIN_POLICY in chain and _number(chain[_CHAIN_POLICY]) == _ACCEPT
    return accepts and _CHAIN_HOOK in chain and _number(chain[_CHAIN_USE]) == 0


def _message(
    kind: int, flags: int, family: str = "", names: Mapping[int, str] | None = None, resource: int = 0
) -> bytes:
    """One message of nfnetlink. names: by the number of their attribute."""
    head = struct.pack("=BB", _NUMBERS.get(family, 0), 0) + struct.pack(">H", resource)
    return message(kind, flags, head, names)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes) -> int:
    return int(_NUMBER.unpack(value)[0])


def _kind(operation: int) -> int:
    return _NFTABLES << 8 | operation
