"""The way out for machines: their own nft table per cluster, and forwarding only while a cluster needs it.

All of it is state of the kernel: a restart of the computer, which takes the bridges away, takes this away too. Callers
hold the network lock.
"""

import json
import shutil
from ipaddress import IPv4Network
from pathlib import Path

from ohmykube.providers.nspawn.commands import run, succeeds
from ohmykube.providers.nspawn.names import PREFIX

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_MARK = "omk_forwarding"  # a table that says: forwarding was off before ohmykube
_TABLES = PREFIX.replace("-", "_")


def open_way_out(bridge: str, subnet: IPv4Network) -> None:
    """Let machines reach what this computer reaches, in its name."""
    table = _table(bridge)
    run(
        ["nft", "-f", "-"],
        stdin=f"""
table ip {table}
delete table ip {table}
table ip {table} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {subnet} ip daddr != {subnet} oifname != "{bridge}" masquerade
    }}
}}
""",
    )
    if _FORWARD.read_text().strip() == "0":
        run(["nft", "add", "table", "ip", _MARK])  # before the change: a death in between only repeats it
        _FORWARD.write_text("1")


def close_way_out(bridge: str) -> None:
    """Undo it; forwarding ends with the last cluster, where it was off before the first."""
    tables = _tables()
    if _table(bridge) in tables:
        run(["nft", "delete", "table", "ip", _table(bridge)])
    others = {name for name in tables if name.startswith(_TABLES)} - {_table(bridge), _MARK}
    if _MARK in tables and not others:
        _FORWARD.write_text("0")
        run(["nft", "delete", "table", "ip", _MARK])


def let_through(bridge: str) -> None:
    """Where iptables drops what is forwarded (Docker, ufw), accept this bridge's: node to node, and the way out."""
    if not shutil.which("iptables") or "-P FORWARD DROP" not in run(["iptables", "-w", "-S", "FORWARD"]):
        return
    for rule in _rules(bridge):
        if not succeeds(["iptables", "-w", "-C", "FORWARD", *rule]):
            run(["iptables", "-w", "-I", "FORWARD", *rule])


def forget(bridge: str) -> None:
    """Take away what `let_through` added."""
    if not shutil.which("iptables"):
        return
    for rule in _rules(bridge):
        while succeeds(["iptables", "-w", "-D", "FORWARD", *rule]):
            pass


def _rules(bridge: str) -> list[list[str]]:
    return [["-i", bridge, "-j", "ACCEPT"], ["-o", bridge, "-j", "ACCEPT"]]


def _table(bridge: str) -> str:
    return bridge.replace("-", "_")


def _tables() -> set[str]:
    listed = json.loads(run(["nft", "-j", "list", "tables", "ip"]))["nftables"]
    return {entry["table"]["name"] for entry in listed if "table" in entry}
