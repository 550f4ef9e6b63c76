"""What a bug report needs, and where it is: on each node, at the API server, and on this computer."""

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from ansible_collections.ohmykube.cluster.plugins.module_utils.health.cluster import NAMESPACES

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.logs.archive import Archive
from ohmykube.logs.objects import as_yaml
from ohmykube.model.machines import SshTarget

_TIMEOUT = 60.0  # seconds for one entry
_TAIL = 2**20  # bytes of a file on this computer
_RUNS = 10  # the last runs of verbs
_RUN_FILES = ("stdout", "stderr", "rc", "status", "job_events/*.json")  # not `command`: it has the environment
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PODS = " -o ".join(f"-path '/var/log/pods/{namespace}_*.log'" for namespace in NAMESPACES)

# entry: command for a shell, as root
NODE: Mapping[str, str] = {
    "kubelet.log": "journalctl --no-pager --output=short-iso --lines=20000 --unit=kubelet",
    "containerd.log": "journalctl --no-pager --output=short-iso --lines=20000 --unit=containerd",
    "kernel.log": "dmesg | tail -n 2000",
    "containers.txt": "crictl ps --all && crictl pods && crictl images",
    "network.txt": "ip address && ip route && ip -6 route && ip neighbour",
    "disk.txt": "df -h && df -i && mount",
    "hooks.log": "[ ! -d /var/log/ohmykube/hooks ] || tail -v -n 2000 /var/log/ohmykube/hooks/*.log",
    "system.txt": "uname -a && cat /etc/os-release && uptime && free -m && systemctl --no-pager --failed && date --utc",
    "pods.log": rf"find /var/log/pods \( {_PODS} \) -exec tail -v -n 2000 {{}} +",
}
_KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --request-timeout=10s"
_KINDS = (
    "pods,deployments,statefulsets,daemonsets,jobs,cronjobs,services,endpointslices,ingresses,networkpolicies,"
    "persistentvolumes,persistentvolumeclaims,storageclasses"
)
VERSION: Mapping[str, str] = {"version.txt": f"{_KUBECTL} version"}
CLUSTER: Mapping[str, str] = {
    "nodes.txt": f"{_KUBECTL} get nodes -o wide",
    "pods.txt": f"{_KUBECTL} get pods -A -o wide",
    "events.txt": f"{_KUBECTL} get events -A --sort-by=.lastTimestamp",
    "nodes.yaml": f"{_KUBECTL} get nodes -o json",
    "workloads.yaml": f"{_KUBECTL} get {_KINDS} -A -o json",
}


@dataclass(frozen=True)
class Missing:
    """What could not be had, and why."""

    entry: str
    reason: str


Source = Callable[[Archive], list[Missing]]


def collect(archive: Archive, sources: Sequence[Source]) -> list[Missing]:
    """Bring all of them into the archive, side by side; what could not be had."""
    with ThreadPoolExecutor(len(sources)) as pool:
        return [missing for found in pool.map(lambda source: source(archive), sources) for missing in found]


def text(name: str, make: Callable[[], str]) -> Source:
    """One entry that is made here."""

    def source(archive: Archive) -> list[Missing]:
        try:
            archive.add_text(name, make())
        except OhmykubeError as error:
            return [Missing(name, error.message)]
        return []

    return source


def remote(folder: str, target: SshTarget, commands: Mapping[str, str]) -> Source:
    """The output of commands on a machine, one after the other; if it cannot be reached, none of them is tried."""

    def source(archive: Archive) -> list[Missing]:
        missing: list[Missing] = []
        for name, command in commands.items():
            entry = f"{folder}/{name}"
            try:
                ssh.stream(target, _as_root(target, command), partial(_take, archive, entry), timeout=_TIMEOUT)
            except OhmykubeError as error:
                if error.code == "ssh.unreachable":
                    return [*missing, Missing(folder, error.message)]
                missing.append(Missing(entry, error.message))
        return missing

    return source


def cluster(planes: Sequence[SshTarget]) -> Source:
    """What the API server says, asked at the first control plane where it answers."""

    def source(archive: Archive) -> list[Missing]:
        reason = "no control plane runs"
        for target in planes:
            missing = remote("cluster", target, VERSION)(archive)
            if not missing:
                return remote("cluster", target, CLUSTER)(archive)
            reason = missing[0].reason
        return [Missing("cluster", reason)]

    return source


def files(found: Mapping[str, Path]) -> Source:
    """The ends of files on this computer. found: by their names in the archive."""

    def source(archive: Archive) -> list[Missing]:
        for name, path in found.items():
            with path.open("rb") as file:
                if path.stat().st_size > _TAIL:
                    file.seek(-_TAIL, io.SEEK_END)
                    file.readline()  # begun before
                archive.add(name, file)
        return []

    return source


def of_runs(runs: Path) -> Iterator[tuple[str, Path]]:
    """Of the last runs of verbs, what was said."""
    for run in sorted(path for path in runs.glob("*/"))[-_RUNS:]:
        yield from ((f"runs/{run.name}/{path.name}", path) for path in run.glob("events.jsonl"))
        for pattern in _RUN_FILES:
            for path in sorted(run.glob(f"artifacts/*/{pattern}")):
                yield f"runs/{run.name}/{path.relative_to(path.parents[len(Path(pattern).parts) - 1])}", path


def of_machines(folder: Path, lima: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Consoles, and what the provider said, as far as it is kept on this computer. folder: of the cluster."""
    for name in names:
        places = (lima / name, folder / "machines" / name, folder / "lima-logs" / name)
        for path in (path for place in places for path in sorted(place.glob("*.log"))):
            yield f"nodes/{name}/machine/{path.name}", path


def _take(archive: Archive, entry: str, output: IO[bytes]) -> None:
    if not entry.endswith(".yaml"):
        archive.add(entry, output)
        return
    with tempfile.TemporaryFile() as whole:
        while block := output.read(_TAIL):
            whole.write(block)
        whole.seek(0)
        try:
            archive.add_text(entry, as_yaml(whole.read().decode()))
        except ValueError as error:
            raise OhmykubeError("kubectl.failed", f"kubectl gave no JSON: {error}") from error


def _as_root(target: SshTarget, command: str) -> list[str]:
    sudo = [] if target.user == "root" else ["sudo", "-n"]
    return [*sudo, "env", _PATH, "LC_ALL=C.UTF-8", "sh", "-c", command]
