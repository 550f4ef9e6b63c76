# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The only place that calls kubectl: on a control plane, as its administrator."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host

ADMIN = "/etc/kubernetes/admin.conf"
# sudo may leave /usr/local out; kubeadm looks for kubelet and crictl on its path too.
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CACHE = "/var/lib/ohmykube/kubectl"  # what the API server has to offer; not in root's home, which is somebody's
POLL = 0.5  # seconds between two looks at the API

# What the API server and webhooks say while they are still starting: worth another try.
_PASSING = (
    "connection refused",
    "connection reset",
    "failed calling webhook",
    "no endpoints available",
    "error looking up service account",
    "no matches for kind",
    "resource mapping not found",
    "the server is currently unable",
    "i/o timeout",
    "tls handshake timeout",
    "operation timed out",
    "context deadline exceeded",
    "client.timeout exceeded",
    "etcdserver: ",
    ": eof",
    "unexpected eof",
    "eof occurred",
)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Kubectl:
    """kubeconfig: on the node."""

    host: Host
    kubeconfig: str = ADMIN

    def run(self, *arguments: str, timeout: float = 30) -> Completed:
        options = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={CACHE}", "--request-timeout=20s"]
        return self.host.run(["env", PATH, "kubectl", *options, *arguments], timeout)

    def text(self, *arguments: str, timeout: float = 30) -> str:
        """Its output. Raises OhmykubeError `kubectl.failed` with its own words."""
        done = self.run(*arguments, timeout=timeout)
        if done.code:
            raise self.failed(arguments[0], (done.stderr or done.stdout).strip())
        return done.stdout

    @staticmethod
    def failed(verb: str, words: str) -> OhmykubeError:
        """The error of a kubectl that said this."""
        return OhmykubeError(
            "kubectl.failed",
            f"kubectl {verb} failed: {words.splitlines()[-1] if words else 'no output'}",
            hint="on the control plane: kubectl --kubeconfig=/etc/kubernetes/admin.conf get nodes,pods -A",
            context={"output": words},
        )

    def json(self, *arguments: str, timeout: float = 30) -> Any:
        return json.loads(self.text(*arguments, "--output=json", timeout=timeout))

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a `get`, which answers one object or a list of them, or nothing."""
        output = self.text("get", *arguments, "--output=json", "--ignore-not-found")
        answer = json.loads(output) if output.strip() else {"items": []}
        return list(answer["items"]) if "items" in answer else [answer]

    def configured(self) -> bool:
        """Whether there is a cluster to talk to; in check mode it may be yet to be made."""
        return self.host.path(self.kubeconfig).exists()

    def answers(self) -> bool:
        """Whether the API server calls itself ready. One that is just starting may accept a question and forget it."""
        try:
            return self.run("get", "--raw=/readyz", timeout=10).code == 0
        except OhmykubeError:
            return False


def with_file(text: str, use: Callable[[str], Answer]) -> Answer:
    """Call `use` with the path of a private file that holds `text`: manifests may carry secrets."""
    with tempfile.TemporaryDirectory(prefix="ohmykube-") as folder:
        path = Path(folder) / "file.yaml"
        path.touch(mode=0o600)
        path.write_text(text)
        return use(str(path))


def patiently(work: Callable[[], Answer], *, timeout: float) -> Answer:
    """The work's result, tried again for `timeout` seconds while the API, etcd or a webhook is still starting."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return work()
        except OhmykubeError as error:
            said = error.context.get("output", "").lower()  # kubectl and Python begin the same words differently
            passing = any(words in said for words in _PASSING)
            if not passing or time.monotonic() > deadline:
                raise
            time.sleep(POLL)


def until(look: Callable[[], Iterable[str]], *, timeout: float, what: str, explain: Callable[[], str]) -> None:
    """Return when `look` finds nothing missing any more.

    look: what is still missing, a line each. timeout: seconds. Raises OhmykubeError `cluster.not-ready` that names what
    is missing; `explain` is asked once for details then.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            missing = list(look())
        except OhmykubeError as error:
            missing = [error.message]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise OhmykubeError(
                "cluster.not-ready",
                f"{what} after {timeout:.0f} s: {'; '.join(missing[:5])}",
                hint="the same command again goes on waiting; `kubectl describe` shows more",
                context={"missing": "\n".join(missing), "output": explain()},
            )
        time.sleep(POLL)
