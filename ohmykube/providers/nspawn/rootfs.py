"""The base root file system, made once from the distribution's packages and shared, read-only, by all machines."""

import fcntl
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.nspawn.apt_sources import Distribution
from ohmykube.providers.nspawn.commands import run
from ohmykube.providers.nspawn.recipe import FILES, MASKED, PACKAGES

_log = logging.getLogger(__name__)

_BUILD_TIMEOUT = 900  # seconds; 40 s is usual on two cores beside a near mirror
_POLL = 0.5  # seconds

_DOCUMENTS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
_EMPTIED = ("var/lib/apt/lists", "var/cache/apt", "var/log", "tmp")


@dataclass(frozen=True)
class Base:
    """A root file system. `path` is there whole or not at all; another recipe has another path."""

    folder: Path  # <home>/cache/rootfs
    distribution: Distribution
    offline: bool = False

    @property
    def path(self) -> Path:
        recipe = json.dumps([PACKAGES, MASKED, FILES])
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        return self.folder / f"{self.distribution.template}-{platform.machine()}-{digest}"

    def ensure(self) -> Path:
        """Make it, unless it is there. Raises OhmykubeError `nspawn.rootfs`; the next call begins anew."""
        self.check()
        if self.path.is_dir():
            return self.path
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.folder / ".lock") as lock:
            if not self.path.is_dir():
                self._make(lock)
        return self.path

    def check(self) -> None:
        """Raises OhmykubeError `nspawn.offline` where it is not there and cannot be made."""
        if self.offline and not self.path.is_dir():
            raise OhmykubeError(
                "nspawn.offline",
                f"offline, and the machines' root file system is not in {self.folder}",
                hint="run `ohmykube up` once without --offline; it stays in the cache",
                context={"path": self.path},
            )

    def _make(self, lock: int) -> None:
        made = self.folder / ".making"  # only ever one: we hold the lock
        log = self.folder / "build.log"
        shutil.rmtree(made, ignore_errors=True)
        _log.info("making the machines' root file system (%s); its log is %s", self.distribution.template, log)
        started = time.monotonic()
        with log.open("w") as output:
            self._bootstrap(made, output.fileno(), log, lock)
        finish(made)
        run(["sync", "--file-system", str(made)], timeout=120)  # whole after a power cut, too
        made.rename(self.path)
        _log.info("made %s in %.0f s", self.path.name, time.monotonic() - started)

    def _bootstrap(self, target: Path, output: int, log: Path, lock: int) -> None:
        argv = _mmdebstrap(self.distribution, target) if shutil.which("mmdebstrap") else None
        argv = argv or _debootstrap(self.distribution, target)
        # In a pid namespace that ends with us: what is left of a killed build keeps the lock until its last moment.
        jail = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        try:
            code = subprocess.run(
                [*jail, *argv],
                stdin=subprocess.DEVNULL,
                pass_fds=(lock,),
                stdout=output,
                stderr=output,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
                timeout=_BUILD_TIMEOUT,
                check=False,
            ).returncode
            words = log.read_text(errors="replace").strip().splitlines()[-3:]
        except subprocess.TimeoutExpired:
            code, words = 1, [f"not done within {_BUILD_TIMEOUT} s"]
        if code:
            raise OhmykubeError(
                "nspawn.rootfs",
                f"the machines' root file system could not be made by {argv[0]}: {' / '.join(words)}",
                hint=f"is the package mirror reachable (`apt-get update`)? The whole log: {log}",
                context={"log": log, "template": self.distribution.template, "output": "\n".join(words)},
            )


def _mmdebstrap(distribution: Distribution, target: Path) -> list[str]:
    exclude = "".join(f"path-exclude=/{folder}/*\\n" for folder in _DOCUMENTS)
    return [
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=apt",
        '--aptopt=APT::Install-Recommends "false"',
        "--dpkgopt=force-unsafe-io",
        # As a hook, not --dpkgopt: with files excluded from the start, the first unpacking takes four times as long.
        f"""--extract-hook=printf '{exclude}' >"$1/etc/dpkg/dpkg.cfg.d/ohmykube\"""",
        f"--include={','.join(PACKAGES)}",
        distribution.suite,
        str(target),
        *(source.line() for source in distribution.sources),
    ]


def _debootstrap(distribution: Distribution, target: Path) -> list[str]:
    release = distribution.sources[0]
    return [
        "debootstrap",
        "--variant=minbase",
        f"--keyring={release.signed_by}",
        f"--include={','.join(PACKAGES)}",
        f"--components={','.join(release.components)}",
        distribution.suite,
        str(target),
        release.uri,
    ]


def finish(root: Path) -> None:
    """Turn a fresh system into a base: our files, units masked, nothing that makes two machines the same."""
    for place, text in FILES.items():
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for folder in (*_DOCUMENTS, *_EMPTIED):
        _empty(root / folder)
    for file in [*root.glob("etc/ssh/ssh_host_*"), root / "etc/machine-id", root / "etc/hostname"]:
        file.unlink(missing_ok=True)


def _empty(folder: Path) -> None:
    """Remove what is in it; services expect some of the folders, so these stay."""
    for found in folder.rglob("*"):
        if not found.is_dir() or found.is_symlink():
            found.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Two clusters that start at once make one base."""
    deadline = time.monotonic() + _BUILD_TIMEOUT
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OhmykubeError(
                        "nspawn.rootfs",
                        f"another process has been making {path.parent} for {_BUILD_TIMEOUT} s",
                        hint=f"`fuser {path}` shows which; end it and try again",
                    ) from None
                time.sleep(_POLL)
        yield lock.fileno()
