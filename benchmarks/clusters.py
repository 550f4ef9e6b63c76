"""What benchmarks of whole clusters share: a home whose cache has all they need, and the command line in it.

The test bundle (OHMYKUBE_TEST_BUNDLE, see CONTRIBUTING.md) has what no package registry has. Machines are those of the
provider nspawn (root, Linux).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohmykube.artifacts import CachedArtifacts
from ohmykube.model import document, load
from ohmykube.model.spec import Cluster
from ohmykube.providers.base import ProviderContext
from ohmykube.providers.nspawn import NspawnProvider
from ohmykube.store.home import Home

BUNDLE = Path(os.environ.get("OHMYKUBE_TEST_BUNDLE") or Path.home() / ".cache/ohmykube/test-bundle")
HOME = Path(os.environ.get("OHMYKUBE_TEST_HOME") or Path.home() / ".cache/ohmykube/test-home")
CATALOGUE = BUNDLE / "catalogue.yml"
_TIMEOUT = 900  # seconds for a verb


@dataclass(frozen=True)
class Made:
    """What a verb took, and the events that it told meanwhile."""

    seconds: float
    events: list[dict[str, Any]]

    def phases(self) -> dict[str, float]:
        """Seconds by phase, and the eight tasks that took the longest."""
        spent = {event["phase"]: round(event["seconds"], 1) for event in self.events if event["kind"] == "done"}
        return spent | self._tasks()

    def _tasks(self) -> dict[str, float]:
        """From the first word of each task to the first of the next one."""
        begun: dict[str, float] = {}
        for event in self.events:
            if event["kind"] == "step" and event["phase"] == "Kubernetes":
                begun.setdefault(str(event.get("text")), event["time"])
        ends = [*list(begun.values())[1:], self.events[-1]["time"]]
        spent = {name: round(end - start, 1) for (name, start), end in zip(begun.items(), ends, strict=True)}
        return dict(sorted(spent.items(), key=lambda item: -item[1])[:8])


class Clusters:
    """Clusters of one name after another. Everything is in the cache before the first begins."""

    def __init__(self, name: str) -> None:
        if not CATALOGUE.exists():
            sys.exit(f"this benchmark needs the test bundle; there is none at {BUNDLE}")
        self.name = name
        self.home = Home(HOME)
        self.home.make()
        os.environ["OHMYKUBE_HOME"] = str(HOME)
        self.artifacts = CachedArtifacts(self.home.cache, (CATALOGUE,), offline=True)
        self.version = self.artifacts.catalogue.default("kubeadm")
        for archive in sorted((BUNDLE / "images").glob("*.tar")):
            self.artifacts.images.add(archive)
        self.artifacts.fetch(self.wish(1), lambda _: None)
        self.forget_machine_images()
        provider = self.provider()
        provider.prepare()  # the base root file system is made once
        provider.cleanup()

    def wish(self, workers: int) -> Cluster:
        spec = {"provider": "nspawn", "kubernetesVersion": self.version}
        defaults: dict[document.Path, Any] = {("spec", key): value for key, value in spec.items()}
        given = (load.Given((*load.WORKERS, "count"), workers, "--workers"),)
        return load.build(self.name, document=None, given=given, defaults=defaults, supported_versions=(self.version,))

    def provider(self) -> NspawnProvider:
        folder = self.home.path / "clusters" / self.name
        return NspawnProvider(
            ProviderContext(
                cluster=self.name,
                directory=folder,
                home=self.home.path,
                identity_file=folder / "ssh/id_ed25519",
                known_hosts=folder / "ssh/known_hosts",
                offline=True,
            )
        )

    def up(self, workers: int, run: Callable[..., "subprocess.CompletedProcess[str]"] = subprocess.run) -> Made:
        """run: how the command is run; it has to do what subprocess.run does."""
        return self.verb(["up", f"--name={self.name}", f"--workers={workers}"], run)

    def add(self) -> Made:
        return self._run(["add", f"--name={self.name}", "--offline", "--progress=json"])

    def bake(self) -> Made:
        return self.verb(["cache", "bake"])

    def down(self) -> Made:
        return self._run(["down", f"--name={self.name}", "--yes", "--progress=json"])

    def verb(self, words: list[str], run: Callable[..., "subprocess.CompletedProcess[str]"] = subprocess.run) -> Made:
        flags = ["--provider=nspawn", "--offline", "--progress=json", f"--catalogue={CATALOGUE}"]
        return self._run([*words, *flags, f"--k8s-version={self.version}"], run)

    def forget_machine_images(self) -> None:
        shutil.rmtree(self.home.cache / "machines", ignore_errors=True)

    def _run(self, words: list[str], run: Callable[..., "subprocess.CompletedProcess[str]"] = subprocess.run) -> Made:
        begin = time.monotonic()
        argv = [sys.executable, "-m", "ohmykube", *words]
        done = run(argv, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        seconds = time.monotonic() - begin
        if done.returncode:
            sys.exit(done.stderr)
        return Made(seconds, [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")])


def report(**figures: object) -> None:
    """The one line that a benchmark prints."""
    print(json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in figures.items()}))
