# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Put objects in, look from every node, take them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, until, with_file
from ansible_collections.ohmykube.cluster.plugins.module_utils.readiness import explain
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke import objects, seen
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke.results import FAILED, OK, SKIPPED, Check, parse
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke.seen import Pod, Seen

_EXEC_TIMEOUT = 180  # seconds for all that one pod tries
_DELETE_TIMEOUT = 90  # seconds
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_AT_ONCE = 4  # each is a kubectl; more only wait for the CPU
_HERE = f"--namespace={objects.NAMESPACE}"

# attempt NAME COMMAND…: prints how it went, with the command's last words. It is tried for some seconds: rules reach
# nodes later than the API server knows them. fetch ADDRESS: the payload came whole. resolve SERVICE.NAMESPACE:
# in the cluster's own domain, which a pod searches after its namespace's. wget has no time limit in every busybox.
_TOOLS = f"""
fetch() {{ [ "$(timeout 3 wget -q -O - "http://$1/payload" | md5sum)" = "$sum" ]; }}
refuse() {{ ! timeout 3 wget -q -O /dev/null "http://$1/payload" 2>/dev/null; }}
resolve() {{ nslookup "$1.$(awk '/^search/ {{ print $3 }}' /etc/resolv.conf)" 2>&1 >/dev/null; }}
attempt() {{
  name=$1$suffix; shift; count=0
  until said=$("$@" 2>&1); do
    count=$((count + 1))
    if [ $count -ge 8 ]; then echo "{FAILED}|$name|$*${{said:+: $(echo "$said" | tail -n 1)}}"; return; fi
    sleep 1
  done
  echo "{OK}|$name|"
}}
sum=$({objects.PAYLOAD} | md5sum)
"""


class Smoke:
    """timeout: seconds until all pods must run."""

    def __init__(self, kubectl: Kubectl, image: str, timeout: float) -> None:
        self._kubectl = kubectl
        self._image = image
        self._timeout = timeout

    def run(self) -> tuple[list[Check], list[Seen]]:
        """Try everything out, addresses of each family. The objects stay: others can try the load balancer too."""
        self.clear()
        storage, balanced = self._has_default_class(), self._has_addresses()
        self._apply([objects.namespace(), *objects.network(self._image, load_balancer=balanced)])
        if storage:
            self._apply(objects.volume(self._image))
        found = self._wait(balanced=balanced)
        looks = [
            *(partial(look, one, node) for one in found for look in (self._pod, self._node) for node in one.nodes),
            *(partial(self._logs, found[0], node) for node in found[0].nodes),
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            done = list(pool.map(_attempted, [*looks, *([self._volume] if storage else [])]))
        if policies := self._has_policies():  # last, as it shuts the others out
            done.append(_attempted(partial(self._policy, found[0])))
        checks = [check for some in done for check in some]
        return [*checks, *_skipped(storage=storage, balanced=balanced, policies=policies)], found

    def present(self) -> bool:
        return bool(self._kubectl.items("namespace", objects.NAMESPACE))

    def clear(self) -> None:
        """Remove everything, also what an interrupted run left."""
        words = ("delete", "namespace", objects.NAMESPACE, "--ignore-not-found", f"--timeout={_DELETE_TIMEOUT}s")
        self._kubectl.text(*words, timeout=_DELETE_TIMEOUT + 10)

    def _apply(self, made: Sequence[Mapping[str, Any]]) -> None:
        """Tried again: where controllers have only just begun, a new namespace waits for its service account."""

        def apply(path: str) -> str:
            words = ("apply", "--server-side", "--validate=ignore", f"--filename={path}")
            return patiently(lambda: self._kubectl.text(*words, timeout=60), timeout=self._timeout)

        with_file(objects.as_text(made), apply)

    def _wait(self, *, balanced: bool) -> list[Seen]:
        nodes = self._kubectl.items("nodes")
        names = [node["metadata"]["name"] for node in nodes]
        items: list[dict[str, Any]] = []

        def look() -> Iterator[str]:
            items[:] = self._kubectl.items("pods,services", _HERE)
            return seen.missing(items, names, balanced=balanced)

        self._until(look, "the pods that try the cluster out do not run")
        return seen.read(items, nodes)

    def _pod(self, found: Seen, node: str) -> Iterator[Check]:
        pods = [f"attempt 'pod on {other}' fetch {pod.address}:{objects.PORT}" for other, pod in found.pods.items()]
        names = ["attempt DNS resolve kubernetes.default", "attempt 'service by name' fetch web"]
        return self._exec(found, found.pods[node], node, [*names, *pods])

    def _node(self, found: Seen, node: str) -> Iterator[Check]:
        ports = [f"attempt 'port of {name}' fetch {ip}:{found.node_port}" for name, ip in found.nodes.items()]
        balancer = [f"attempt 'load balancer' fetch {found.load_balancer}"] if found.load_balancer else []
        lines = [f"attempt 'cluster IP' fetch {found.service}", *ports, *balancer]
        return self._exec(found, found.node_pods[node], node, lines)

    def _exec(self, found: Seen, pod: Pod, node: str, lines: Sequence[str]) -> Iterator[Check]:
        suffix = "" if found.family == "IPv4" else f" ({found.family})"
        script = f"suffix='{suffix}'{_TOOLS}" + "\n".join(lines)
        words = ("exec", pod.name, _HERE, "--request-timeout=0", "--", "sh", "-uc", script)
        return parse(self._kubectl.text(*words, timeout=_EXEC_TIMEOUT), node)

    def _logs(self, found: Seen, node: str) -> Iterator[Check]:
        said = self._kubectl.text("logs", found.pods[node].name, _HERE)
        yield _compared("logs", node, said, f"smoke on {node}")

    def _volume(self) -> Iterator[Check]:
        """Written by one pod, which is deleted, and read by another."""
        self._wait_for_end("writer")
        self._kubectl.text("delete", "pod", "writer", _HERE, timeout=60)
        self._apply(objects.reader(self._image))
        self._wait_for_end("reader")
        yield _compared("volume", "", self._kubectl.text("logs", "reader", _HERE), objects.WORDS)

    def _policy(self, found: Seen) -> Iterator[Check]:
        """Where nobody may come in, nobody does; and who may then, does."""
        nodes = list(found.pods)
        target = f"{found.pods[nodes[-1]].address}:{objects.PORT}"
        for allow, words in ((False, "deny' refuse"), (True, "allow' fetch")):
            self._apply([objects.policy(allow=allow)])
            yield from self._exec(found, found.pods[nodes[0]], "", [f"attempt 'network policy: {words} {target}"])

    def _wait_for_end(self, pod: str) -> None:
        def look() -> Iterator[str]:
            phase = self._kubectl.items(f"pod/{pod}", _HERE)[0]["status"].get("phase", "unknown")
            if phase != "Succeeded":
                yield f"it is {phase}"

        self._until(look, f"pod {pod} has not ended")

    def _until(self, look: Callable[[], Iterator[str]], what: str) -> None:
        until(look, timeout=self._timeout, what=what, explain=lambda: explain(self._kubectl))

    def _has_default_class(self) -> bool:
        classes = self._kubectl.items("storageclasses")
        return any(item["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true" for item in classes)

    def _has_policies(self) -> bool:
        """flannel alone enforces none."""
        found = self._kubectl.items("daemonsets", "--namespace=kube-flannel")
        containers = [each["name"] for item in found for each in item["spec"]["template"]["spec"]["containers"]]
        return not found or "kube-network-policies" in containers

    def _has_addresses(self) -> bool:
        """A cluster without MetalLB does not know the kind."""
        done = self._kubectl.run("get", "ipaddresspools.metallb.io", "--all-namespaces", "--output=name")
        return done.code == 0 and bool(done.stdout.strip())


def _skipped(*, storage: bool, balanced: bool, policies: bool) -> Iterator[Check]:
    if not storage:
        yield Check("volume", "", SKIPPED, "no StorageClass is the default")
    if not balanced:
        yield Check("load balancer", "", SKIPPED, "MetalLB has no addresses")
    if not policies:
        yield Check("network policy", "", SKIPPED, "flannel alone enforces none")


def _attempted(look: Callable[[], Iterator[Check]]) -> list[Check]:
    """What was seen; an error is one failed check among the others."""
    try:
        return list(look())
    except OhmykubeError as error:
        where = look.args[1] if isinstance(look, partial) and len(look.args) > 1 else ""
        return [Check("look", where, FAILED, error.message)]


def _compared(name: str, where: str, said: str, expected: str) -> Check:
    right = said.strip() == expected
    return Check(name, where, OK if right else FAILED, "" if right else f"{said.strip()[:80]!r} is not {expected!r}")
