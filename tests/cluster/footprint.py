"""What a host looks like from the inside, as text that can be compared: run on it before and after, as root.

    ssh host sudo python3 - <footprint.py

Standard library only. What changes by itself on any running host is left out, and nothing else.
"""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

FOLDERS = ("/etc", "/home", "/opt", "/root", "/srv", "/usr/lib/modules", "/usr/libexec", "/usr/local", "/var/lib")
# Of these only the names: what is in the files is the life of the host.
LISTED = ("/run", "/var/log", "/var/cache", "/var/tmp", "/tmp")
ALIVE = re.compile(
    r"/var/lib/(systemd|private|dbus|sudo|apt)/|/etc/\.updated$|/var/lib/systemd$|/(\.bash_history|\.lesshst)$"
    r"|/var/log/journal|/run/(user|systemd|log|sudo|udev|initctl|utmp)\b|/tmp/systemd-private-"
    r"|/var/tmp/systemd-private-"
)
# What the kernel counts, or sizes by its memory.
COUNTING = re.compile(
    r"nf_conntrack_(count|max|buckets)|/random/|nf_log|tcp_fastopen_key|route/flush|/tcp_mem|/udp_mem"
)


def out(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout


def files() -> list[str]:
    """Mode, owner, sum and place of each file; link targets; folders with their modes."""
    found = []
    for top in FOLDERS:
        for folder, names, leaves in os.walk(top):
            for name in [*names, *leaves]:
                path = Path(folder, name)
                if not ALIVE.search(str(path)):
                    found.append(f"{path} {_facts(path)}")
    return sorted(found)


def _facts(path: Path) -> str:
    seen = path.lstat()
    facts = f"{stat.filemode(seen.st_mode)} {seen.st_uid}:{seen.st_gid}"
    if stat.S_ISLNK(seen.st_mode):
        return f"{facts} -> {path.readlink()}"
    if stat.S_ISREG(seen.st_mode):
        return f"{facts} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    return facts


def names() -> list[str]:
    found = [str(path) for top in LISTED for path in Path(top).glob("*") if not ALIVE.search(str(path))]
    return sorted([*found, *map(str, Path("/run/netns").glob("*")), *map(str, Path("/var/log/pods").glob("*"))])


def units() -> list[str]:
    kinds = "--type=service,socket,slice,timer,mount,path"
    loaded = out("systemctl", "list-units", "--all", "--plain", "--no-legend", kinds).splitlines()
    known = out("systemctl", "list-unit-files", "--no-legend").splitlines()
    passing = re.compile(r"^(session-|user|systemd-(tmpfiles-clean|hostnamed)|init\.scope|logrotate|ssh@|run-u)")
    lines = [" ".join(line.split()[:4]) for line in loaded] + [" ".join(line.split()) for line in known]
    return sorted({line for line in lines if not passing.match(line)})


def network() -> list[str]:
    links = [
        f"link {link['ifname']} {link.get('master', '')} {'UP' in link['flags']} {link['mtu']}"
        for link in json.loads(out("ip", "-json", "link") or "[]")
    ]
    addresses = [
        f"address {link['ifname']} {one['local']}/{one['prefixlen']}"
        for link in json.loads(out("ip", "-json", "address") or "[]")
        for one in link["addr_info"]
    ]
    # Those to the host's own link-local addresses, which stand above, come a little later than the addresses.
    shown = out("ip", "route", "show", "table", "all").splitlines()
    routes = [f"route {line}" for line in shown if not line.startswith("local fe80::")]
    rules = [f"rule {line}" for family in ("-4", "-6") for line in out("ip", family, "rule").splitlines()]
    neighbours = [f"fdb {line}" for line in out("bridge", "fdb").splitlines() if "vxlan" in line or "flannel" in line]
    return [*links, *addresses, *(" ".join(line.split()) for line in routes), *rules, *neighbours]


def firewall() -> list[str]:
    """Of nft without what belongs to iptables: there an empty hook is as good as none, once others have rules."""
    tables = re.split(r"^(?=table )", out("nft", "--stateless", "list", "ruleset"), flags=re.M)
    kept = [table for table in tables if not re.match(r"table ip6? (filter|nat|mangle|raw|security) ", table)]
    lines = [f"nft {line}" for line in "".join(kept).splitlines()]
    # A -save of the legacy kind would itself make the tables that it lists.
    kinds = ["nft", *(["legacy"] if _text("/proc/net/ip_tables_names") else [])]
    for tool in [f"{family}-{kind}-save" for family in ("iptables", "ip6tables") for kind in kinds]:
        lines += [f"{tool} {line}" for line in out(tool).splitlines() if not line.startswith("#")]
    return [re.sub(r"\[\d+:\d+\]|counter packets \d+ bytes \d+", "", line) for line in lines]


def mounts() -> list[str]:
    fields = [line.split() for line in _text("/proc/self/mountinfo").splitlines()]
    return sorted(f"{field[4]} {field[field.index('-') + 1]}" for field in fields)


def processes() -> list[str]:
    """All but those that made this look, and the kernel's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if argv and not re.match(r"sshd: |\S*sshd-|sudo |python3 -|\(sd-|ssh-agent|\S*systemd --user", argv):
            found.append(argv)
    return sorted(found)


def kernel() -> list[str]:
    """Parameters of the network, which each host has for itself; the others are those of all containers together."""
    found = []
    for path in Path("/proc/sys/net").rglob("*"):
        if path.is_file() and not COUNTING.search(str(path)) and "/neigh/" not in str(path):
            try:
                found.append(f"{path} {' '.join(path.read_text().split())}")
            except OSError:
                continue
    return sorted(found)


def cgroups() -> list[str]:
    return sorted(
        path for path, _, _ in os.walk("/sys/fs/cgroup") if re.search(r"kube|pod[0-9a-f]|containerd|cri-", path)
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    looks = (files, names, units, network, firewall, mounts, processes, kernel, cgroups)
    json.dump({look.__name__: look() for look in looks}, sys.stdout, indent=1)
