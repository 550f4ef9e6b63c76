"""The test bundle, and the command line as a person runs it: another process, in a home of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
_CHECK = re.compile(r"^ +- '?(\S.*?) {2,}\S+ +(ok|skipped|failed)", re.MULTILINE)
_TIMEOUT = 900  # seconds for a verb; on two cores that others use too, `up` has taken five minutes


@dataclass(frozen=True)
class Bundle:
    """What clusters are made from without a network; see CONTRIBUTING.md."""

    folder: Path

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.yml"

    @property
    def images(self) -> list[Path]:
        return sorted(self.folder.glob("images/*.tar"))

    @property
    def version(self) -> str:
        """The newest Kubernetes that it has."""
        versions = yaml.safe_load(self.catalogue.read_text())["components"]["kubeadm"]["versions"]
        return str(max(versions, key=lambda version: [int(part) for part in version.removeprefix("v").split(".")]))

    @property
    def flags(self) -> tuple[str, ...]:
        """Of `up`, to make a cluster from nothing else."""
        return ("--offline", "--catalogue", str(self.catalogue), "--k8s-version", self.version)

    def kubectl(self, kubeconfig: Path, *words: str, stdin: str = "") -> str:
        """The output of the bundle's kubectl, run on this computer."""
        argv = [str(self.folder / "bin/kubectl"), f"--kubeconfig={kubeconfig}", "--request-timeout=30s", *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout

    def items(self, kubeconfig: Path, *words: str) -> list[dict[str, Any]]:
        """The objects of a `kubectl get`."""
        answer = json.loads(self.kubectl(kubeconfig, "get", *words, "--output=json"))
        return list(answer["items"]) if "items" in answer else [answer]


@dataclass(frozen=True)
class CommandLine:
    """`ohmykube`. environment: the whole of it, with the home and a kubeconfig of the test's own.

    prefix: a command that runs all of these.
    """

    home: Path
    environment: Mapping[str, str]
    prefix: tuple[str, ...] = ()

    @property
    def kubeconfig(self) -> Path:
        """The person's own, into which contexts are merged."""
        return Path(self.environment["KUBECONFIG"])

    def cluster(self, name: str) -> Path:
        """Its folder."""
        return self.home / "clusters" / name

    def __call__(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end, however that is."""
        return subprocess.run(
            self.argv(*words),
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def start(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """Begin it, as the leader of a process group, with all that it says in a file.

        Ctrl-C is heard, also where the tests are a background job, which ignores it.
        """
        with log.open("wb") as output:
            return subprocess.Popen(
                ["env", "--default-signal=INT", *self.argv(*words)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def text(self, *words: str) -> str:
        """What it prints on success, which is expected."""
        done = self(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def data(self, *words: str) -> Any:
        """The `data` of its JSON."""
        answer = json.loads(self.text(*words, "-o", "json"))
        assert answer["status"] == "ok", answer
        return answer["data"]

    def playbook(self, name: str, cluster: str) -> subprocess.CompletedProcess[str]:
        """Run one on a cluster as somebody does who uses Ansible alone, from the checkout."""
        return subprocess.run(
            [*self.prefix, "ansible-playbook", "-i", "inventories/ohmykube.yml", f"playbooks/{name}.yml"],
            cwd=CHECKOUT,
            env={**self.environment, "OHMYKUBE_NAME": cluster},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def smoke(self, cluster: str) -> dict[str, set[str]]:
        """The cluster does all that it should; the checks are the assertion. What each said, of all nodes."""
        done = self.playbook("smoke", cluster)
        assert done.returncode == 0, done.stdout + done.stderr
        said: dict[str, set[str]] = {}
        for check, status in _CHECK.findall(done.stdout):
            said.setdefault(check, set()).add(status)
        return said

    def argv(self, *words: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "ohmykube", *words]

    def run(self, argv: Sequence[str], cwd: Path) -> str:
        """The output of another command that must succeed, in the same environment."""
        done = subprocess.run(
            [*self.prefix, *argv],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def environment(home: Path, scratch: Path) -> dict[str, str]:
    """This process's, without what somebody set for ohmykube, and with a home, a kubeconfig and a scratch folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OHMYKUBE_", "ANSIBLE_"))}
    return {
        **kept,
        "OHMYKUBE_HOME": str(home),
        "KUBECONFIG": str(home / "kubeconfig"),
        "TMPDIR": str(scratch),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def swap_addresses(folder: Path, machines: Mapping[str, str]) -> None:
    """Of two machines of a cluster, as a DHCP server might do while they are off. machines: address by name."""
    one, other = machines.values()
    files = [folder / "machines/network.json", folder / "ssh/known_hosts"]
    files += [folder / "machines" / name / "machine.json" for name in machines]
    for file in files:
        found = re.sub(rf"\b{re.escape(one)}\b", "\0", file.read_text())
        file.write_text(re.sub(rf"\b{re.escape(other)}\b", one, found).replace("\0", other))
