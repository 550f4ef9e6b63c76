"""What machines leave on a computer: nothing, after they are gone."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ohmykube.providers.nspawn.container import Container
from ohmykube.providers.nspawn.names import unique


def of(directory: Path, names: Sequence[str]) -> list[str]:
    """Every interface, cgroup, process, mount, firewall table and folder of a cluster's machines, in words."""
    bridge = unique(directory / "machines")
    ids = [bridge, *(Container(directory / "machines" / name).id for name in names)]
    links = [link["ifname"] for link in json.loads(_out("ip", "-json", "link"))]
    groups = [Path(line) for line in _out("find", "/sys/fs/cgroup", "-type", "d", "-name", "omk-*").splitlines()]
    found = [
        *(f"interface {link}" for link in links if link.removeprefix("vb-") in ids),
        *(f"cgroup {group}" for group in groups if group.name in ids),
        *(f"process {line}" for line in _out("ps", "-eww", "-o", "pid,args").splitlines() if str(directory) in line),
        *(f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line),
        *(f"table {bridge}" for line in _out("nft", "list", "tables").splitlines() if bridge.replace("-", "_") in line),
        *(f"nspawn {left}" for left in Path("/run/systemd/nspawn").rglob("*") if left.name in ids),
    ]
    return [*found, *([f"folder {directory / 'machines'}"] if (directory / "machines").exists() else [])]


def _out(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30).stdout
