"""A machine in a temporary folder that can be given faults: it keeps here what its kernel and systemd would."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host
from ansible_collections.ohmykube.cluster.plugins.modules import node_fault

PEER = "10.0.0.2"
ASKER = "10.0.0.1"
MOUNTS = """\
1 0 254:1 / / rw - ext4 /dev/vda1 rw
2 1 0:30 / /run rw shared:5 - tmpfs tmpfs rw,size=4936820k
3 1 0:31 / /mnt/small rw - tmpfs none rw,size=8192k
4 1 0:32 /home /mnt/share rw - virtiofs home rw
"""
_IPTABLES = ("iptables", "ip6tables")
FOLDERS = ("/var/lib/kubelet", "/mnt/small", "/mnt/share", "/run")


@dataclass
class Node:
    """calls: commands that change something, in order. breaks: those that start so fail.

    container: what systemd-detect-virt says. slow: seconds that each change takes.
    """

    root: Path
    container: str = "none"
    netem: bool = True
    slow: float = 0
    breaks: tuple[str, ...] = ()
    now: float = 1000.0
    timers: dict[str, tuple[float, str]] = field(default_factory=dict)  # when each rings, and what it then runs
    chains: dict[str, str] = field(default_factory=dict)  # of iptables: the rules that were restored with each
    jumps: list[str] = field(default_factory=list)
    queues: dict[str, str] = field(default_factory=lambda: {"eth0": "0:"})  # handle, by interface
    filled: str = ""
    clock: float = 0.0  # seconds that it is wrong
    keepers: list[str] = field(default_factory=lambda: ["chrony.service"])
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in FOLDERS:
            (self.root / folder.strip("/")).mkdir(parents=True)
        self.write("/proc/self/mountinfo", MOUNTS)
        # sudo keeps the variable to itself.
        self.write("/proc/self/environ", "LANG=C\0")
        self.write("/proc/self/status", "Name:\tpython3\nPPid:\t70\n")
        self.write("/proc/70/environ", f"LANG=C\0SSH_CONNECTION={ASKER} 50000 10.0.0.5 22\0")
        self._tick(0)

    @property
    def host(self) -> Host:
        return Host(self.root, self._run, "6.1.0")

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def ask(self, *, check_mode: bool = False, **options: object) -> dict[str, object]:
        """What the module answers."""
        told = {name: option.get("default") for name, option in node_fault.ARGUMENTS.items()} | options
        return dict(node_fault.run(told, self.host, check_mode=check_mode))

    def wait(self, seconds: float) -> None:
        """Time passes, and timers ring."""
        self._tick(seconds)
        for unit, (rings, command) in sorted(self.timers.items(), key=lambda item: item[1]):
            if rings <= self.now:
                del self.timers[unit]
                for part in _commands(command):
                    self._change(part)

    def reboot(self) -> None:
        """What lies in memory is gone."""
        self.timers, self.chains, self.jumps, self.filled, self.clock = {}, {}, [], "", 0.0
        self.queues = dict.fromkeys(self.queues, "0:")
        for file in (self.root / "run").rglob("*.json"):
            file.unlink()

    @property
    def whole(self) -> bool:
        """Nothing is wrong with it, and nothing is left of a fault."""
        rules = [*self.chains, *self.jumps]
        healthy = not rules and set(self.queues.values()) == {"0:"} and not self.filled and not self.clock
        left = [file.name for file in (self.root / "run").rglob("*") if file.is_file() and file.name != "lock"]
        return healthy and not self.timers and not left and self.keepers == ["chrony.service"]

    def _tick(self, seconds: float) -> None:
        self.now += seconds
        self.write("/proc/uptime", f"{self.now:.2f} 1.00\n")

    def _run(self, argv: Sequence[str], timeout: float) -> Completed:
        line = " ".join(argv)
        if argv[0] == "systemd-detect-virt":
            return Completed(int(self.container == "none"), f"{self.container}\n")
        if argv[:2] == ["systemctl", "list-units"]:
            kind = argv[-1].removesuffix("*.timer")
            return Completed(0, "".join(f"{unit} loaded active\n" for unit in self.timers if unit.startswith(kind)))
        if argv[:2] == ["systemctl", "is-active"]:
            return Completed(0, "active\n" if self.filled else "inactive\n")
        if argv[:2] == ["systemctl", "show"]:
            return Completed(0, "\n\n".join(self._shown(unit) for unit in argv[4:]) + "\n")
        if argv[0] == "ip":
            return Completed(0, json.dumps([{"dev": "eth0"}] if argv[3] == "get" else self._routes(argv[2])))
        if argv[:3] == ["tc", "-json", "qdisc"]:
            queues = [{"dev": dev, "handle": handle, "kind": "x", "root": True} for dev, handle in self.queues.items()]
            return Completed(0, json.dumps(queues))
        if argv[0] == "unshare":
            return Completed(0) if self.netem else Completed(2, "", "Error: Specified qdisc kind is unknown.")
        if argv[0] in _IPTABLES and argv[-1] == "--version":
            return Completed(0)
        if argv[0] in _IPTABLES and {"-S", "-C"} & set(argv):
            return Completed(0 if f"{argv[0]} {argv[-1]}" in (self.jumps if "-C" in argv else self.chains) else 1)
        self._tick(self.slow)
        if line.startswith(self.breaks):
            return Completed(1, "", "it broke")
        if argv[0] == "systemd-run" and "--on-active" in line:
            self.calls.append(f"timer {argv[1].removeprefix('--unit=')}")
            seconds = float(re.findall(r"--on-active=([\d.]+)s", line)[0])
            self.timers[f"{argv[1].removeprefix('--unit=')}.timer"] = (self.now + seconds, argv[-1])
            return Completed(0)
        return Completed(0 if self._change(line) else 1, "", "")

    def _change(self, line: str) -> bool:
        self.calls.append(line)
        words = line.split()
        if words[0] in _IPTABLES:
            return self._unfilter(f"{words[0]} {words[-1]}", words[3])
        if words[0].endswith("-restore"):
            self._filter(words[0].removesuffix("-restore"), Path(words[-1]).read_text().splitlines())
        elif words[:3] == ["tc", "qdisc", "replace"]:
            self.queues[words[4]] = words[7]
        elif words[:3] == ["tc", "qdisc", "delete"]:
            self.queues[words[4]] = "0:"
        elif words[0] == "systemd-run":
            self.filled = words[-1]
        elif words[:2] == ["systemctl", "stop"]:
            self._stop(words[2:])
        elif words[:2] == ["systemctl", "start"]:
            self.keepers = words[2:]
        elif words[0] == "python3":
            self.clock = round(float(words[-1]), 1)  # the kernel started at 0
        elif words[0] == "rm":
            (self.root / words[-1].lstrip("/")).unlink(missing_ok=True)
        return True

    def _filter(self, tool: str, rules: Sequence[str]) -> None:
        """What iptables-restore does with --noflush."""
        for rule in rules:
            if rule.startswith(":"):
                self.chains[f"{tool} {rule[1:].split()[0]}"] = ""
            elif rule.startswith("-A"):
                self.chains[f"{tool} {rule.split()[1]}"] += f"{rule}\n"
            elif rule.startswith("-I"):
                self.jumps.append(f"{tool} {rule.split()[-1]}")

    def _unfilter(self, chain: str, verb: str) -> bool:
        """Whether it could be done; a chain goes when it is empty and nothing leads into it."""
        if verb == "-D" and chain in self.jumps:
            self.jumps.remove(chain)
        elif verb == "-F" and chain in self.chains:
            self.chains[chain] = ""
        elif verb == "-X" and self.chains.get(chain) == "" and chain not in self.jumps:
            del self.chains[chain]
        else:
            return False
        return True

    def _stop(self, units: Sequence[str]) -> None:
        for unit in units:
            self.timers.pop(unit, None)
            if unit in self.keepers:
                self.keepers.remove(unit)
            if "filler" in unit:
                self.filled = ""

    def _shown(self, unit: str) -> str:
        state = "active" if unit in self.keepers else "inactive"
        return f"Id={unit}\nLoadState=loaded\nUnitFileState=enabled\nActiveState={state}\nMainPID=0"

    @staticmethod
    def _routes(family: str) -> list[dict[str, str]]:
        """The pod network of one peer is reached over it; that of another is wrapped up."""
        if family == "-6":
            return []
        return [
            {"dst": "default", "gateway": PEER, "dev": "eth0"},
            {"dst": "10.244.1.0/24", "gateway": PEER, "dev": "eth0"},
            {"dst": "10.244.2.0/24", "gateway": "10.244.2.0", "dev": "flannel.1"},
        ]


def _commands(script: str) -> list[str]:
    """Those of a line of shell."""
    words = shlex.shlex(script, posix=True, punctuation_chars=";")
    words.whitespace_split = True
    return [part.strip() for part in " ".join(word if word != ";" else "\0" for word in words).split("\0")]
