"""A cluster that is well, and then broken in every quick way: each is found, mended, and in no archive is a secret."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import soon

pytestmark = pytest.mark.cluster

NAME = "doc"
PLANE, WORKER = f"{NAME}-control-plane-1", f"{NAME}-worker-1"
TOKEN, PASSWORD = "abcdef.0123456789abcdef", "hunter2hunter2"
GHOST = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"{NAME}-worker-7"}}
PLANTED = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "planted", "annotations": {"url": f"https://me:{PASSWORD}@mirror.example"}},
            "spec": {
                "containers": [{"name": "p", "image": "x", "env": [{"name": "DB_PASSWORD", "value": PASSWORD}]}],
                "nodeSelector": {"nowhere": "yes"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "planted"},
            "stringData": {"password": PASSWORD},
        },
    ],
}
# kubeadm's own certificates, and the identity of a kubelet, for two days
SHORT = f"""
cat >/run/short <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
certificateValidityPeriod: 48h
controlPlaneEndpoint: localhost:6443
kubernetesVersion: $(kubeadm version --output short)
END
kubeadm certs renew all --config /run/short
cd /var/lib/kubelet/pki
kubeadm kubeconfig user --config /run/short --validity-period 48h \\
  --client-name system:node:{PLANE} --org system:nodes >/run/short.conf
for part in certificate key; do sed -n "s/.*client-$part-data: //p" /run/short.conf | base64 -d; done >short.pem
ln -sfn short.pem kubelet-client-current.pem
"""
LEAK = f"""
mkdir -p /var/log/pods/kube-system_leak/leak
cat /etc/kubernetes/pki/ca.key /etc/kubernetes/admin.conf >/var/log/pods/kube-system_leak/leak/0.log
echo 'kubeadm join --token {TOKEN}' >>/var/log/pods/kube-system_leak/leak/0.log
"""


@pytest.fixture(scope="module")
def cluster(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> Iterator[CommandLine]:
    try:
        ohmykube.text("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *bundle.flags)
        yield ohmykube
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def doctor(cluster: CommandLine, *flags: str) -> tuple[int, dict[tuple[str, str], str], int]:
    """Exit code, what is not well, and how much was mended; how much room this computer has is its own affair."""
    done = cluster("doctor", "--name", NAME, "-o", "json", *flags)
    data = json.loads(done.stdout)["data"]
    wrong = {(each["code"], each["where"]): each["severity"] for each in data["findings"] if each["severity"] != "ok"}
    own = {key: severity for key, severity in wrong.items() if key[1] != "this computer" or key[0].startswith("kube")}
    return done.returncode, own, data["fixed"]


def settled(cluster: CommandLine) -> tuple[int, dict[tuple[str, str], str], int]:
    """What `doctor` says once pods are Ready again: a kubelet just restarted calls its own unready for a moment."""
    said = []

    def ready() -> bool:
        said.append(doctor(cluster))
        return ("workload.unavailable", NAME) not in said[-1][1]

    soon(ready)
    return said[-1]


def on(cluster: CommandLine, node: str, script: str) -> str:
    return cluster.text("shell", "--name", NAME, node, "--", "sh", "-ec", script)


def logs(cluster: CommandLine, file: Path) -> tuple[int, list[str], dict[str, str]]:
    """Exit code, what could not be had, and all texts by name."""
    done = cluster("logs", "--name", NAME, str(file), "-o", "json")
    with tarfile.open(file) as tar:
        texts = {entry.name.partition("/")[2]: tar.extractfile(entry).read().decode() for entry in tar}  # type: ignore[union-attr]
    return done.returncode, [each["entry"] for each in json.loads(done.stdout)["data"]["missing"]], texts


def test_a_healthy_cluster_has_no_problem(cluster: CommandLine) -> None:
    assert doctor(cluster) == (0, {}, 0)
    assert doctor(cluster, "--fix") == (0, {}, 0)


def test_services_that_are_down_are_restarted(cluster: CommandLine) -> None:
    on(cluster, WORKER, "systemctl stop kubelet containerd")
    on(cluster, PLANE, "systemctl stop kubelet")
    down = {("service.down", WORKER): "problem", ("service.down", PLANE): "problem"}
    assert doctor(cluster) == (1, down, 0)
    assert doctor(cluster, "--fix") == (0, {}, 2)
    assert on(cluster, WORKER, "systemctl is-active kubelet containerd").split() == ["active", "active"]


def test_certificates_are_renewed_and_the_kubeconfig_follows(cluster: CommandLine, bundle: Bundle) -> None:
    kubeconfig = cluster.cluster(NAME) / "kubeconfig"
    on(cluster, PLANE, SHORT)
    kubeconfig.unlink()
    wrong = {
        ("certificate.kubelet.ends", PLANE): "warning",
        ("certificate.ends", PLANE): "warning",
        ("kubeconfig.stale", "this computer"): "problem",
    }
    assert settled(cluster) == (1, wrong, 0)
    assert doctor(cluster, "--fix") == (0, {}, 3)
    assert len(bundle.items(kubeconfig, "nodes")) == 2


def test_machines_and_what_is_left_of_others(cluster: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    """A machine is off; one, a node and a cluster are left over. Meanwhile the archive is without its logs alone."""
    clusters = cluster.home / "clusters"
    cluster.text("stop", "--name", NAME, WORKER)
    (clusters / NAME / "machines" / f"{NAME}-worker-9").mkdir()
    (clusters / "gone" / "machines" / "gone-worker-1").mkdir(parents=True)
    bundle.kubectl(clusters / NAME / "kubeconfig", "apply", "-f", "-", stdin=json.dumps(GHOST))
    code, wrong, _ = doctor(cluster)
    assert code == 1
    assert {
        ("machine.stopped", WORKER): "problem",
        ("machine.orphan", f"{NAME}-worker-9"): "warning",
        ("node.ghost", f"{NAME}-worker-7"): "warning",
        ("leftover", "gone"): "warning",
    }.items() <= wrong.items()

    code, missing, texts = logs(cluster, tmp_path / "partly.tgz")
    assert (code, missing) == (3, [f"nodes/{WORKER}"])
    assert any(finding["code"] == "machine.stopped" for finding in json.loads(texts["doctor.json"]))

    code, wrong, fixed = doctor(cluster, "--fix")
    assert (code, wrong) == (0, {})
    assert fixed >= 4
    assert sorted(path.name for path in (clusters / NAME / "machines").glob("*/")) == [PLANE, WORKER]
    assert not (clusters / "gone").exists()


def test_an_api_server_that_is_down(cluster: CommandLine, tmp_path: Path) -> None:
    """No remedy of ours: it is said where to look. The logs of its pod are in the archive all the same."""
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    on(cluster, PLANE, f"sed -i s/--advertise-address=/--advertise-adress=/ {manifest}")
    on(cluster, PLANE, "crictl stop $(crictl ps --quiet --name ^kube-apiserver$)")
    code, wrong, _ = doctor(cluster)
    assert (code, wrong[("api-server.not-ready", PLANE)], wrong[("cluster", NAME)]) == (1, "problem", "unknown")
    code, missing, texts = logs(cluster, tmp_path / "down.tgz")
    assert (code, missing) == (3, ["cluster"])
    assert "kube-apiserver" in texts[f"nodes/{PLANE}/pods.log"]
    on(cluster, PLANE, f"sed -i s/--advertise-adress=/--advertise-address=/ {manifest}")
    on(
        cluster,
        PLANE,
        "for i in $(seq 60); do kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes && break; sleep 1; done",
    )


def test_no_secret_is_in_the_archive(cluster: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    folder = cluster.cluster(NAME)
    bundle.kubectl(folder / "kubeconfig", "apply", "-f", "-", stdin=json.dumps(PLANTED))
    on(cluster, PLANE, LEAK)
    code, missing, texts = logs(cluster, tmp_path / "bug.tgz")
    assert (code, missing) == (0, [])
    whole = "\n".join(texts.values())
    user = yaml.safe_load((folder / "kubeconfig").read_text())["users"][0]["user"]
    keys = on(cluster, PLANE, "cat /etc/kubernetes/pki/ca.key /etc/kubernetes/pki/sa.key").splitlines()
    secrets = [
        *(line for line in [*(folder / "ssh/id_ed25519").read_text().splitlines(), *keys] if "-----" not in line),
        *(user["client-key-data"], TOKEN, PASSWORD),
    ]
    assert [secret for secret in secrets if secret in whole] == []
    for kept in (
        *("about.json", "cluster.yaml", "state.json", "doctor.json", "cluster/workloads.yaml", "cluster/events.txt"),
        *(f"nodes/{node}/{log}.log" for node in (PLANE, WORKER) for log in ("kubelet", "containerd", "pods")),
    ):
        assert texts[kept].strip(), kept
    assert "planted" in texts["cluster/workloads.yaml"]
    assert any(name.startswith("runs/") for name in texts)


def test_damage_in_a_cache(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    """Of a home of its own."""
    other = replace(ohmykube, home=tmp_path, environment={**ohmykube.environment, "OHMYKUBE_HOME": str(tmp_path)})
    other.text("cache", "pull", "flannel", "--catalogue", str(bundle.catalogue), "--offline")
    (kept,) = (tmp_path / "cache/packages").glob("flannel-*")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert other("doctor").returncode == 1
    assert kept.exists()
    assert other("doctor", "--fix").returncode == 0
    assert not kept.exists()
