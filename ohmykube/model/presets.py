"""Clusters to begin with, in sizes that a computer can give. Pure."""

from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import rook

from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import format_bytes, human_bytes
from ohmykube.model.storage import CEPH, WITHOUT_DISKS
from ohmykube.model.validate import CONTROL_PLANE_CPU

_GIB = 2**30
# Bytes of memory for one: less is no pleasure, more is not taken unasked.
_PLANE = (2 * _GIB, 4 * _GIB)
_WORKER = (1 * _GIB, 4 * _GIB)
_CPU = 4  # not more for one, unasked


@dataclass(frozen=True)
class Preset:
    """planes, workers: how many. raw: bytes of a raw disk that each worker has; 0 for none."""

    name: str
    words: str
    planes: int
    workers: int
    raw: int = 0

    @property
    def least_worker(self) -> int:
        """Bytes of memory for one."""
        return rook.memory(self.workers, 1, control_plane=False) if self.raw else _WORKER[0]


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("tiny", "one node that does all", 1, 0),
        Preset("default", "one control plane, two workers", 1, 2),
        Preset("ha", "three control planes, two workers", 3, 2),
        Preset("storage", "one control plane, three workers with disks for Ceph", 1, 3, raw=20 * _GIB),
    )
}


@dataclass(frozen=True)
class Computer:
    """memory: bytes, all that there is."""

    cores: int
    memory: int

    @property
    def budget(self) -> int:
        """What clusters may have of it: three quarters."""
        return self.memory * 3 // 4


@dataclass(frozen=True)
class Sizes:
    """Of each machine; memory in bytes."""

    plane_cpu: int
    plane_memory: int
    worker_cpu: int
    worker_memory: int


def sizes(preset: Preset, computer: Computer, *, plane_memory: int = 0, worker_memory: int = 0) -> Sizes:
    """All machines together get no more than the computer's budget.

    plane_memory, worker_memory: bytes that somebody has chosen, which are kept; 0 for none. Raises OhmykubeError
    `computer.small`, unless all is chosen.
    """
    plane, worker = plane_memory or _PLANE[0], worker_memory or preset.least_worker
    left = computer.budget - preset.planes * plane - preset.workers * worker
    chosen = plane_memory and (worker_memory or not preset.workers)
    if computer.cores < CONTROL_PLANE_CPU or (left < 0 and not chosen):
        raise _small(preset, computer, computer.budget - left)
    while left > 0:  # whole GiB, for the smaller ones first
        more_planes = not plane_memory and plane < _PLANE[1] and preset.planes * _GIB <= left
        more_workers = not worker_memory and worker < _WORKER[1] and 0 < preset.workers * _GIB <= left
        if more_workers and (worker < plane or not more_planes):
            worker, left = worker + _GIB, left - preset.workers * _GIB
        elif more_planes:
            plane, left = plane + _GIB, left - preset.planes * _GIB
        else:
            break
    share = min(computer.cores // (preset.planes + preset.workers), _CPU)
    return Sizes(max(share, CONTROL_PLANE_CPU), plane, max(share, 1), worker)


def fits(preset: Preset, computer: Computer, provider: str = "") -> bool:
    """Whether the computer is large enough, and the provider can give what it wants."""
    if preset.raw and provider in WITHOUT_DISKS:
        return False
    return computer.cores >= CONTROL_PLANE_CPU and _least(preset) <= computer.budget


def spec(preset: Preset, each: Sizes) -> dict[str, Any]:
    """The part of a cluster file. A group without workers is there, too: its number is easily changed."""
    plane = {"count": preset.planes, "cpu": each.plane_cpu, "memory": format_bytes(each.plane_memory)}
    workers: dict[str, Any] = {"name": "worker", "count": preset.workers}
    if preset.workers:
        workers |= {"cpu": each.worker_cpu, "memory": format_bytes(each.worker_memory)}
    if preset.raw:
        workers["disk"] = format_bytes(20 * _GIB)  # for the images of Ceph, too
        workers["disks"] = [{"size": format_bytes(preset.raw)}]
        return {"controlPlane": plane, "workers": [workers], "storage": {"csi": CEPH}}
    return {"controlPlane": plane, "workers": [workers]}


def _least(preset: Preset) -> int:
    return preset.planes * _PLANE[0] + preset.workers * preset.least_worker


def _small(preset: Preset, computer: Computer, least: int) -> OhmykubeError:
    fitting = [f"--preset {other.name}" for other in PRESETS.values() if other is not preset and fits(other, computer)]
    hint = f"{' or '.join(fitting)} fits" if fitting else "choose sizes yourself: --master-memory, --worker-memory"
    what = f"{preset.planes + preset.workers} machines need {human_bytes(least)} of memory at least"
    has = f"this computer has {human_bytes(computer.memory)}, and clusters get {human_bytes(computer.budget)} of it"
    if computer.cores < CONTROL_PLANE_CPU:
        what, has, hint = f"a control plane needs {CONTROL_PLANE_CPU} CPUs", f"this computer has {computer.cores}", ""
    return OhmykubeError("computer.small", f"{preset.name}: {what}; {has}", hint=hint, exit_code=2)
