"""Broken cluster and kubeadm files, by the hundred: each is a list of problems with their places, never a traceback."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ohmykube.cli.settings import Settings
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError, each
from ohmykube.kubeadm_files import documents, nodes, recorded, text
from ohmykube.model.origins import annotated, complete, origins
from tests.chance import CASES

CLUSTER = yaml.safe_load("""\
apiVersion: ohmykube.dev/v1
kind: Cluster
metadata: {name: dev}
spec:
  kubernetesVersion: v1.36.4
  provider: static
  controlPlane: {count: 1, cpu: 2, memory: 4GiB, labels: {a: b}, taints: ["a=b:NoSchedule"]}
  workers:
  - {name: worker, count: 2, absent: [1], disks: [{size: 20GiB}], vars: {node_swap: true}}
  - {name: big, memory: 8, annotations: {x: y}}
  network: {podCIDR: 10.244.0.0/16, proxyMode: ipvs, addressPool: 10.0.0.5-10.0.0.9, apiAddress: 10.0.0.20}
  storage: {csi: none}
  swap: true
  kubeadm: {config: own.yaml, patches: patches}
  hosts:
  - {name: cp1, address: 10.0.0.2, role: control-plane}
  - {name: w1, address: 10.0.0.3, labels: {a: b}, vars: {x: 1}}
  ssh: {user: root, port: 22}
  files: [{path: /etc/motd, content: hi, mode: "0644"}, {path: /opt/tree, source: patches}]
  hooks: {preSystem: [{name: one, script: "true"}], postKubernetes: [{name: two, file: own.yaml, timeout: 5}]}
  registries: {docker.io: {mirrors: ["https://a"]}}
  vars: {kubeadm_sans: [a], kubeadm_swap: true}
""")
DOCUMENTS = list(
    yaml.safe_load_all("""\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration:
  kubeletExtraArgs: [{name: v, value: "4"}, {name: max-pods, value: "20"}]
  taints: [{key: a, effect: NoSchedule}]
localAPIEndpoint: {bindPort: 6443}
timeouts: {discovery: 1m}
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
apiServer:
  timeoutForControlPlane: 6m
  extraArgs: {a: b}
  extraVolumes: [{name: a, hostPath: /a, mountPath: /a, readOnly: true}]
  certSANs: [example.org]
etcd: {local: {extraArgs: {q: "1"}}}
networking: {dnsDomain: cluster.local, podSubnet: 10.244.0.0/16}
featureGates: {A: true}
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: JoinConfiguration
discovery: {timeout: 5m}
nodeRegistration: {kubeletExtraArgs: {v: "1"}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
memorySwap: {swapBehavior: LimitedSwap}
featureGates: {NodeSwap: true}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
""")
)
SMALL = "spec: {provider: static, hosts: [{name: cp1, address: a, role: control-plane}], network: {loadBalancer: none}}"
SMALL = SMALL.replace("provider", "swap: true, kubeadm: {config: own.yaml}, provider")
_WORDS = ["name", "kind", "apiVersion", "spec", "extraArgs", "timeouts", "discovery", "controlPlane", "count", "mode"]
_WORDS += ["kubeadm.k8s.io/v1beta3", "kubeadm.k8s.io/v1beta4", "ClusterConfiguration", "JoinConfiguration", "v1.36.4"]
_WORDS += ["", "a", "-1", "10.0.0.0/33", "::/0", "lima", "nowhere", "../x", "\0", "~x/y", "é", "4TiB", "9" * 30, "1e3"]
words = st.sampled_from(_WORDS) | st.text(max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**12) | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
_GARBAGE = [
    "[",
    "}",
    "*x",
    "&a",
    "? ",
    "!!python/object:os.system x",
    "!!binary aGk=",
    "\t",
    ": :",
    "---",
    "- ",
    "'",
    '"\\ud800"',
]
_GARBAGE += [
    "\x07",
    "<<: *a",
    "&a [*a]",
    "2026-99-99",
    "!!int x",
    "!!bool x",
    "!!timestamp x",
    "=",
    "|",
    "%YAML 3.0",
    "...",
]


def places(value, path=()):
    """Every place in the data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in places(item, (*path, key)))]


@st.composite
def broken(draw, good):
    """A file with one to three things wrong: in its data, in its text, or in both."""
    data = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        data = _changed(draw, data)
    text = _text(data)
    if text and draw(st.booleans()):
        lines = text.splitlines(keepends=True)
        at = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["cut", "twice", "indent", "garbage", "end"]))
        if change == "cut":
            del lines[at]
        elif change == "twice":
            lines.insert(at, lines[at])
        elif change == "indent":
            lines[at] = " " * draw(st.integers(1, 5)) + lines[at]
        elif change == "garbage":
            column = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:column] + draw(st.sampled_from(_GARBAGE)) + lines[at][column:]
        else:
            lines[at:] = [lines[at][: draw(st.integers(0, len(lines[at])))]]
        text = "".join(lines)
    return text


def _changed(draw, data):
    path = draw(st.sampled_from(places(data)[1:] or [()]))
    if not path:
        return data
    here = data
    for key in path[:-1]:
        here = here[key]
    change = draw(st.sampled_from(["put", "put", "drop", "add"]))
    if change == "put":
        here[path[-1]] = draw(values)
    elif change == "drop":
        del here[path[-1]]
    elif isinstance(here, dict):
        here[draw(words)] = draw(values)
    else:
        here.insert(0, draw(values))
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    (folder / "patches").mkdir()
    (folder / "patches/etcd+merge.yaml").write_text("spec: {}\n")
    return folder


@pytest.fixture
def judge(home, folder):
    settings = Settings(
        name=None, output="table", progress="text", verbose=0, quiet=True, debug=False, no_color=True,
        offline=True, catalogue=(), parallel=1, yes=True,
    )  # fmt: skip
    session = Session(settings, lambda _: None)

    def judge(cluster_file: str, own: str) -> bool:
        (folder / "dev.yaml").write_bytes(cluster_file.encode(errors="replace"))
        (folder / "own.yaml").write_bytes(own.encode(errors="replace"))
        try:
            cluster, layers = session.resolved_anywhere(folder / "dev.yaml", ())
            assert annotated(complete(cluster), origins(cluster, layers))
            for node, joining in nodes(cluster, None):
                assert text(documents(node, joining, recorded(cluster)))
            return False
        except OhmykubeError as error:
            for problem in each(error):
                assert problem.exit_code == 2
                place = re.search(r"(\S+\.yaml):(\d+)", problem.message)
                assert place, problem.message
                file = Path(place[1].lstrip("("))
                assert file.is_relative_to(folder)
                assert 1 <= int(place[2]) <= file.read_text().count("\n") + 1
            return True

    return judge


def _text(parts):
    return yaml.dump_all(
        parts, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True
    )


fuzz = settings(
    max_examples=CASES // 2, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def test_the_files_are_good_before_they_are_broken(judge, folder):
    assert not judge(_text([CLUSTER]), _text(DOCUMENTS))


@fuzz
@given(cluster_file=broken([CLUSTER]))
def test_broken_cluster_files(judge, cluster_file):
    event("broken" if judge(cluster_file, _text(DOCUMENTS[-1:])) else "still good")


@fuzz
@given(own=broken(DOCUMENTS))
def test_broken_kubeadm_files(judge, own):
    event("broken" if judge(SMALL, own) else "still good")
