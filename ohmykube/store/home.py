"""The folders and files below `$OHMYKUBE_HOME`, and who may have which."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ohmykube.errors import OhmykubeError
from ohmykube.store import atomic
from ohmykube.store.state import State


@dataclass(frozen=True)
class ClusterFolder:
    """`clusters/<name>`: everything that belongs to one cluster alone."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def spec_file(self) -> Path:
        return self.path / "cluster.yaml"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def sources(self) -> Path:
        return self.path / "sources"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def identity_file(self) -> Path:
        return self.path / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.path / "ssh" / "known_hosts"

    def exists(self) -> bool:
        return self.spec_file.exists()

    def make(self) -> None:
        (self.path / "ssh").mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Last of all, when nothing of the cluster is left to find.

        In one step, as others see it: what somebody makes here who has waited for the lock is theirs.
        """
        self.sweep()
        self.path.rename(self._removed)
        self.sweep()

    def sweep(self) -> None:
        """End a removal that was killed."""
        while self._removed.exists():
            with suppress(FileNotFoundError):  # somebody else is at it too
                shutil.rmtree(self._removed)

    @property
    def _removed(self) -> Path:
        return self.path.with_name(f".{self.name}")

    def write_spec(self, data: dict[str, Any]) -> None:
        atomic.write(self.spec_file, yaml.safe_dump(data, sort_keys=False))

    def read_spec(self) -> dict[str, Any]:
        """As it is written; empty where that is no mapping."""
        try:
            data = yaml.load(self.spec_file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        except (OSError, yaml.YAMLError):
            return {}
        return data if isinstance(data, dict) else {}

    def read_state(self) -> State | None:
        try:
            return State.from_data(json.loads(self.state_file.read_text()), self.state_file)
        except FileNotFoundError:
            return None
        except ValueError as error:
            return State.from_data(str(error), self.state_file)

    def write_state(self, state: State) -> None:
        atomic.write(self.state_file, json.dumps(state.as_data(), indent=1) + "\n")

    def new_run(self, verb: str) -> Path:
        """A fresh folder for the log and artifacts of one verb: `runs/<time>-<verb>`."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        run = self.path / "runs" / f"{stamp}-{verb}"
        run.mkdir(mode=0o700, parents=True)
        return run

    def runs(self, file: str) -> list[Path]:
        """The folders of runs that have such a file, the oldest first."""
        return sorted(path.parent for path in (self.path / "runs").glob(f"*/{file}"))


@dataclass(frozen=True)
class Home:
    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        return cls(Path(os.environ.get("OHMYKUBE_HOME") or Path.home() / ".ohmykube").expanduser().absolute())

    def make(self) -> None:
        """Make the folder, for this user alone."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise OhmykubeError(
                "home.unusable",
                f"{self.path} cannot be used: {error.strerror}",
                hint="set OHMYKUBE_HOME to a folder of yours",
                context={"path": self.path},
            ) from error

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def profiles(self) -> Path:
        """Cluster files that somebody wants to begin others with: `<name>.yaml`."""
        return self.path / "profiles"

    def cluster(self, name: str) -> ClusterFolder:
        return ClusterFolder(self.path / "clusters" / name)

    def clusters(self) -> list[ClusterFolder]:
        folders = [ClusterFolder(file.parent) for file in (self.path / "clusters").glob("[!.]*/cluster.yaml")]
        return sorted(folders, key=lambda folder: folder.name)

    def current(self) -> str:
        """The cluster that a verb without `--name` speaks of; empty where none was chosen."""
        try:
            return (self.path / "current").read_text().strip()
        except FileNotFoundError:
            return ""

    def choose(self, name: str) -> None:
        atomic.write(self.path / "current", f"{name}\n")

    def forget_choice(self, name: str) -> None:
        if self.current() == name:
            (self.path / "current").unlink(missing_ok=True)
