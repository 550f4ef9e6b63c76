"""What a cluster may leave on the computer that it ran on: everything of it, compared before and after.

Other clusters may come and go on the same computer meanwhile; what carries their names is not counted.
"""

import gzip
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ohmykube.providers.nspawn.container import Container
from ohmykube.providers.nspawn.names import PREFIX, unique

_NAME = re.compile(r"omk[-_]([0-9a-f]{8})")
_FORWARD = "/proc/sys/net/ipv4/ip_forward"
_SHARED = ("forwarding", "omk_forwarding")  # while another cluster needs it, it stays
_GROUPS = ("control-plane", "worker", "small", "big")
_FOLDERS = ("/run/netns", "/run/systemd/nspawn", "/run/systemd/machines", "/var/lib/machines", "/dev/shm")
_OF_TESTS = re.compile("ohmykube-test-")  # those of other tests, which run at the same time

Look = Mapping[str, frozenset[str]]


def look() -> Look:
    """Links, addresses, routes, rules of the firewall, mounts, cgroups of all hierarchies, runtime folders."""
    return {kind: frozenset(find()) for kind, find in _LOOKS.items()}


def left(before: Look, *clusters: Path) -> list[str]:
    """What differs from before, a line each, without what belongs to machines of others.

    clusters: their folders, which may be gone.
    """
    after, own = look(), {name for cluster in clusters for name in names(cluster)}

    def foreign(line: str) -> bool:
        found = set(_NAME.findall(line))
        return bool(_OF_TESTS.search(line) or found) and not found & own

    crowded = any(foreign(line) for seen in (before, after) for line in seen["firewall"])
    found = []
    for kind in before:
        lines = [f"+ {kind}: {line}" for line in after[kind] - before[kind]]
        lines += [f"- {kind}: {line}" for line in before[kind] - after[kind]]
        found += [line for line in lines if not foreign(line) and not (crowded and any(w in line for w in _SHARED))]
    return sorted(found)


def names(cluster: Path) -> set[str]:
    """What the computer knows a cluster's bridge and machines by, of all groups that tests have, without the prefix."""
    machines = cluster / "machines"
    nodes = (f"{cluster.name}-{group}-{number}" for group in _GROUPS for number in range(1, 10))
    made = [unique(machines), *(Container(machines / node).id for node in nodes)]
    return {name.removeprefix(PREFIX) for name in made}


def processes(folder: str) -> dict[str, str]:
    """Those that have to do with a folder, of a cluster or of a home: by number and start, the command line.

    They name it among their arguments or in their environment, or run where something of it is mounted.
    """
    mark = folder.encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            texts = [(process / name).read_bytes() for name in ("cmdline", "environ", "mountinfo")]
            started = (process / "stat").read_text().rpartition(") ")[2].split()[19]
        except OSError:
            continue  # it ended meanwhile
        if any(mark in text for text in texts):
            words = texts[0].replace(b"\0", b" ").decode(errors="replace").strip()
            found[f"{process.name}@{started}"] = words
    return found


def has_module(name: str, *others: str) -> bool:
    """Whether machines of this computer can have it: they share its kernel, and load no modules of their own."""
    subprocess.run(["sh", "-c", f"modprobe --all {name} {' '.join(others)}"], capture_output=True, check=False)
    config = Path("/proc/config.gz")
    built_in = config.exists() and f"\nCONFIG_{name.upper()}=y".encode() in gzip.decompress(config.read_bytes())
    return built_in or Path("/sys/module", name).exists()


def _links() -> Iterator[str]:
    for link in json.loads(_out("ip", "-json", "link")):
        yield f"{link['ifname']} {link['address']}"


def _addresses() -> Iterator[str]:
    for link in json.loads(_out("ip", "-json", "address")):
        yield from (f"{link['ifname']} {one['local']}/{one['prefixlen']}" for one in link["addr_info"])


def _routes() -> Iterator[str]:
    for family in ("-4", "-6"):
        yield from (" ".join(line.split()) for line in _out("ip", family, "route", "show", "table", "all").splitlines())
        yield from _out("ip", family, "rule").splitlines()


def _firewall() -> Iterator[str]:
    for entry in json.loads(_out("nft", "--json", "--stateless", "list", "ruleset"))["nftables"]:
        for kind, value in entry.items():
            if kind != "metainfo":
                facts = {key: held for key, held in value.items() if key != "handle"}
                yield f"{kind} {json.dumps(facts, sort_keys=True)}"


def _forwarding() -> Iterator[str]:
    yield f"{_FORWARD} {Path(_FORWARD).read_text().strip()}"


def _mounts() -> Iterator[str]:
    yield from Path("/proc/mounts").read_text().splitlines()


def _cgroups() -> Iterator[str]:
    """Of machines: those of whatever else runs on the computer come and go."""
    found = _out("find", "/sys/fs/cgroup", "-type", "d").splitlines()
    yield from (path for path in found if _NAME.search(path) or "kubepods" in path)


def _folders() -> Iterator[str]:
    for folder in _FOLDERS:
        yield from map(str, Path(folder).rglob("*"))


def _out(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60).stdout


_LOOKS = {
    "link": _links,
    "address": _addresses,
    "route": _routes,
    "firewall": _firewall,
    "forwarding": _forwarding,
    "mount": _mounts,
    "cgroup": _cgroups,
    "folder": _folders,
}
