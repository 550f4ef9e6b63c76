"""Machines on and off, and what to do when limactl gives up on one."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import SshTarget
from ohmykube.providers.lima import locks, processes
from ohmykube.providers.lima.limactl import Instance, Limactl
from ohmykube.providers.lima.network import Network

_START_TIMEOUT = 900  # seconds that limactl waits for a machine to boot and to run its provisioning
_GRACE = 180.0  # seconds more for a machine that runs although limactl gave up
_BEGIN_TIMEOUT = 180.0  # seconds until a start has its machine running, or fails
_STOP_TIMEOUT = 240.0  # seconds: QEMU gives a guest three minutes
_FORCE_TIMEOUT = 60.0  # seconds
_LOOKS = 5  # at a machine that is broken: its host agent may just have been slow to answer
_LOOK_AGAIN = 1.0  # seconds
_POLL = 0.3  # seconds

_BOOT_DONE = "/run/lima-boot-done"  # Lima's boot script writes it last, anew at each boot
_LOGS = ("ha.stderr.log", "ha.stdout.log", "serial*.log")
_EXCERPT = 20  # lines
_BOOTED = "ohmykube.booted"  # in an instance's folder: touched when a boot was seen to end


class Power:
    """lock: the one of the whole LIMA_HOME (see LimaProvider). logs: where those of a failed start are kept."""

    def __init__(
        self, limactl: Limactl, network: Network, lock: Path, logs: Path, target: Callable[[Instance], SshTarget]
    ) -> None:
        self._limactl = limactl
        self._network = network
        self._lock = lock
        self._logs = logs
        self._target = target

    def start(self, instance: Instance) -> None:
        """Return when the machine has booted and was provisioned. Raises `lima.start` with what its logs say."""
        processes.clear_stale(instance.directory)
        state = self._status(instance)
        if state == "Running":
            # Another start began it and perhaps did not live to see it boot; limactl would return at once.
            self._await_boot(instance, _START_TIMEOUT)
        else:
            if state == "Broken":
                self._clear(instance)
            self._boot_patiently(instance)
        (instance.directory / _BOOTED).touch()

    def stop(self, instance: Instance) -> None:
        """In order, and by force after a limit. Raises `lima.stop` where even that fails."""
        processes.clear_stale(instance.directory)  # limactl believes pid files, and kills whatever they name
        with locks.hold(self._lock, shared=True):  # machines of a cluster go down side by side
            if self._status(instance) == "Running":
                with suppress(OhmykubeError):  # what counts is whether it is off
                    self._limactl.run("stop", instance.name, timeout=_STOP_TIMEOUT)
            if self._status(instance) != "Stopped":
                self._force(instance)
        self._see_that_it_is_off(instance)

    def cut(self, instance: Instance) -> None:
        """Without asking the machine. Raises `lima.stop` where it goes on running."""
        processes.clear_stale(instance.directory)
        with locks.hold(self._lock, shared=True):
            self._force(instance)
        self._see_that_it_is_off(instance)

    def _see_that_it_is_off(self, instance: Instance) -> None:
        state = self._status(instance)
        if state != "Stopped":
            raise OhmykubeError(
                "lima.stop",
                f"{instance.name} cannot be stopped: Lima calls it {state}",
                hint="end its processes by hand; their numbers are in the .pid files there",
                context={"machine": instance.name, "path": instance.directory},
            )

    def settled(self, instance: Instance) -> Instance | None:
        """The instance as it is now; None where it is gone. Broken is believed when it stays so for a while: a host
        agent that is slow to answer makes its machine look broken."""
        for _ in range(_LOOKS):
            now = next(iter(self._limactl.instances(instance.name)), None)
            if now is None or now.status != "Broken":
                break
            time.sleep(_LOOK_AGAIN)
        return now

    def _status(self, instance: Instance) -> str:
        now = self.settled(instance)
        return now.status if now else "gone"

    def _boot_patiently(self, instance: Instance) -> None:
        """Give one that runs more time than limactl does, and one that went off a second chance."""
        try:
            self._boot(instance)
        except OhmykubeError:
            if self._status(instance) == "Running":
                if not self._boots_after_all(instance):
                    raise
                return
            self._clear(instance)
            self._boot(instance)

    def _boot(self, instance: Instance) -> None:
        name = instance.name
        with locks.hold(self._lock):
            processes.clear_stale(self._network.directory)
            job = self._limactl.spawn(["start", f"--timeout={_START_TIMEOUT}s", name])
            deadline = time.monotonic() + _BEGIN_TIMEOUT
            while not job.ended() and time.monotonic() < deadline:
                time.sleep(_POLL)
                if any(found.status == "Running" for found in self._limactl.instances(name)):
                    break
        try:
            job.wait(_START_TIMEOUT + _GRACE)
        except OhmykubeError as error:
            raise self._failure(instance, error) from error

    def _boots_after_all(self, instance: Instance) -> bool:
        """Whether a machine that runs comes up although limactl gave up on it."""
        with suppress(OhmykubeError):
            self._await_boot(instance, _GRACE)
            return True
        return False

    def _await_boot(self, instance: Instance, timeout: float) -> None:
        """A wrong host key is no reason to give up: the right one is put there during the boot."""
        deadline = time.monotonic() + timeout
        while True:
            now = self.settled(instance)
            if now is None or now.status != "Running":
                error = OhmykubeError("lima.start", "it went off while it booted")
                raise self._failure(instance, error)
            try:
                ssh.run(self._target(now), ["test", "-s", _BOOT_DONE], timeout=2 * ssh.CONNECT_TIMEOUT)
            except OhmykubeError as error:
                if time.monotonic() > deadline:
                    raise self._failure(instance, error) from error
                time.sleep(_LOOK_AGAIN)
            else:
                return

    def _clear(self, instance: Instance) -> None:
        """End what is left of a start that failed."""
        processes.clear_stale(instance.directory)
        with locks.hold(self._lock):
            self._force(instance)

    def _force(self, instance: Instance) -> None:
        self._limactl.run("stop", "--force", instance.name, timeout=_FORCE_TIMEOUT)

    def _failure(self, instance: Instance, error: OhmykubeError) -> OhmykubeError:
        """The error with what the machine's own logs say; the next start would overwrite them, so they are kept."""
        kept = self._logs / instance.name
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        for pattern in _LOGS:
            for log in instance.directory.glob(pattern):
                shutil.copyfile(log, kept / log.name)
        return OhmykubeError(
            "lima.start",
            f"{instance.name} did not start: {error.message}",
            hint=f"its logs are kept in {kept}",
            context={
                **error.context,
                "machine": instance.name,
                "host_agent": _tail(kept / "ha.stderr.log"),
                "console": _tail(kept / "serial.log"),
            },
        )


def booted(instance: Instance) -> bool:
    """Whether a machine that runs was seen to boot. Lima calls it running long before; the host agent's pid file is
    as old as the start."""
    try:
        begun = (instance.directory / "ha.pid").stat().st_mtime_ns
        return (instance.directory / _BOOTED).stat().st_mtime_ns >= begun
    except FileNotFoundError:
        return False


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_EXCERPT:])
