"""What is found of a cluster, and where: each thing that can be wrong, alone."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ohmykube.doctor.examine import examine
from ohmykube.errors import OhmykubeError
from tests.unit.doctor.patients import PLANE, WORKER, YEAR, written, wrong

DAY = 86400


def test_a_healthy_cluster(patient, kubeconfig):
    findings = examine(patient, kubeconfig)
    assert wrong(findings) == {}
    looked_at = {finding.code for finding in findings}
    assert looked_at == {
        *("provider", "machine", "ssh", "clock", "service", "disk", "memory", "certificate", "pod-network", "dns"),
        *("api-server", "etcd", "node", "workload", "kubeconfig"),
    }


GIB = 2**30
NODE = [
    ({"services": {"containerd": "active", "kubelet": "failed"}}, "service.down", "problem"),
    ({"services": {"containerd": "not-found", "kubelet": "inactive"}}, "service.missing", "problem"),
    ({"memory": {"size": 4 * GIB, "free": 150 * 2**20}}, "memory.low", "warning"),
    ({"memory": {"size": 4 * GIB, "free": 50 * 2**20}}, "memory.low", "problem"),
    ({"disks": [{"path": "/", "size": 100, "free": 12, "inodes": 9, "inodes_free": 9}]}, "disk.low", "warning"),
    ({"disks": [{"path": "/", "size": 100, "free": 9, "inodes": 9, "inodes_free": 9}]}, "disk.low", "problem"),
    ({"disks": [{"path": "/", "size": 100, "free": 50, "inodes": 100, "inodes_free": 1}]}, "inodes.low", "problem"),
    ({"pod_network": []}, "pod-network.missing", "problem"),
    ({"dns": "10.96.0.10 does not answer"}, "dns.silent", "problem"),
    ({"joined": False}, "node.not-joined", "problem"),
]


@pytest.mark.parametrize(("said", "code", "severity"), NODE)
def test_what_is_wrong_with_a_node(patient, kubeconfig, nodes, said, code, severity):
    nodes.said[WORKER] |= said
    assert wrong(examine(patient, kubeconfig)) == {(code, WORKER): severity}


CERTIFICATES = [
    ("/etc/kubernetes/pki/apiserver.crt", "kubeadm", 10, "certificate.ends", "warning"),
    ("/etc/kubernetes/admin.conf", "kubeadm", -1, "certificate.ended", "problem"),
    ("/var/lib/kubelet/pki/kubelet-client-current.pem", "kubelet", 10, "certificate.kubelet.ends", "warning"),
    ("/var/lib/kubelet/pki/kubelet-client-current.pem", "kubelet", -1, "certificate.kubelet.ended", "problem"),
    ("/etc/kubernetes/pki/ca.crt", "authority", 10, "certificate.ca.ends", "warning"),
]


@pytest.mark.parametrize(("path", "kind", "days", "code", "severity"), CERTIFICATES)
def test_certificates_that_end(patient, kubeconfig, nodes, path, kind, days, code, severity):
    one = {"path": path, "ends": time.time() + days * DAY, "kind": kind}
    nodes.said[PLANE]["certificates"].insert(0, one)
    findings = examine(patient, kubeconfig)
    assert wrong(findings) == {(code, PLANE): severity}
    assert any(each.fix for each in findings) == (kind != "authority")


@pytest.mark.parametrize(("ahead", "words"), [(90, "90 s ahead of"), (-7200, "7200 s behind")])
def test_a_clock_that_is_off(patient, kubeconfig, nodes, ahead, words):
    nodes.said[WORKER]["time"] = time.time() + ahead
    findings = examine(patient, kubeconfig)
    assert wrong(findings) == {("clock.off", WORKER): "problem"}
    assert words in next(each.what for each in findings if each.code == "clock.off")
    nodes.said[WORKER]["own_clock"] = False
    assert wrong(examine(patient, kubeconfig)) == {}


def test_machines_that_are_not_there_or_do_not_run(patient, kubeconfig, provider):
    provider.existing[WORKER] = "stopped"
    assert wrong(examine(patient, kubeconfig)) == {("machine.stopped", WORKER): "problem"}
    provider.existing[WORKER] = "broken"
    found = examine(patient, kubeconfig)
    assert wrong(found) == {("machine.broken", WORKER): "problem"}
    assert "it has no systemd" in next(each.what for each in found if each.code == "machine.broken")
    del provider.existing[WORKER]
    assert wrong(examine(patient, kubeconfig)) == {("machine.missing", WORKER): "problem"}


def test_what_cannot_be_looked_at_is_one_line_and_no_problem(patient, kubeconfig, provider, nodes):
    provider.existing[PLANE] = "stopped"
    assert wrong(examine(patient, kubeconfig)) == {
        ("machine.stopped", PLANE): "problem",
        ("cluster", "dev"): "unknown",
    }
    provider.existing[PLANE] = "running"
    nodes.silent.add(PLANE)
    assert wrong(examine(patient, kubeconfig)) == {
        ("ssh.unreachable", PLANE): "problem",
        ("node", PLANE): "unknown",
        ("cluster", "dev"): "unknown",
    }
    provider.existing.clear()
    assert wrong(examine(patient, kubeconfig)) == {
        ("machine.missing", PLANE): "problem",
        ("machine.missing", WORKER): "problem",
        ("machines", "dev"): "unknown",
    }


def test_orphans_and_ghosts(patient, kubeconfig, provider, nodes):
    provider.existing["dev-worker-9"] = "stopped"
    provider.existing["dev-control-plane-3"] = "running"
    known = nodes.said[PLANE]["cluster"]["nodes"]
    known.append({**known[1], "name": "dev-worker-7"})
    findings = examine(patient, kubeconfig)
    assert wrong(findings) == {
        ("machine.orphan", "dev-worker-9"): "warning",
        ("machine.orphan", "dev-control-plane-3"): "warning",
        ("node.ghost", "dev-worker-7"): "warning",
    }
    fixable = {each.where for each in findings if each.fix}
    assert fixable == {"dev-worker-9", "dev-worker-7"}, "etcd may count on a control plane"


def test_addresses(patient, kubeconfig, provider, nodes):
    """As recorded, and as the cluster believes."""
    provider.moved[WORKER] = "10.0.0.77"
    found = [each.what for each in examine(patient, kubeconfig) if each.code == "address.changed"]
    assert found == [
        "its address was 10.0.0.2 and is 10.0.0.77 now",
        "the cluster takes its address for 10.0.0.2, and it is 10.0.0.77",
    ]


def test_the_cluster_itself(patient, kubeconfig, nodes):
    said = nodes.said[PLANE]
    said |= {"api_server": "it is not ready: etcd", "etcd": "it does not answer"}
    said["cluster"]["nodes"][1] |= {"ready": False, "cordoned": True, "pressures": ["DiskPressure"]}
    said["cluster"]["unavailable"] = ["DaemonSet kube-system/kube-proxy: 1 of 2 available"]
    said["dns_endpoints"]["count"] = 0
    assert wrong(examine(patient, kubeconfig)) == {
        ("api-server.not-ready", PLANE): "problem",
        ("etcd.unhealthy", PLANE): "problem",
        ("node.not-ready", WORKER): "problem",
        ("node.pressure", WORKER): "problem",
        ("node.cordoned", WORKER): "warning",
        ("workload.unavailable", "dev"): "problem",
        ("dns.no-pods", "dev"): "problem",
    }
    said["cluster"] = {"problem": "kubectl get failed"}
    found = wrong(examine(patient, kubeconfig))
    assert found[("cluster", "dev")] == "unknown"


def test_a_node_that_has_not_joined(patient, kubeconfig, nodes):
    nodes.said[PLANE]["cluster"]["nodes"].pop()
    assert wrong(examine(patient, kubeconfig)) == {("node.missing", WORKER): "problem"}


def test_the_kubeconfig(patient, tmp_path):
    path = tmp_path / "kubeconfig"
    for ends, severity in ((YEAR, None), (10 * DAY, "warning"), (-DAY, "problem")):
        config = written(path, datetime.now(UTC) + timedelta(seconds=ends))
        expected = {("kubeconfig.stale", "this computer"): severity} if severity else {}
        assert wrong(examine(patient, config)) == expected
    path.write_text("users: []")
    assert wrong(config.judge()) == {("kubeconfig.stale", "this computer"): "problem"}
    path.unlink()
    assert wrong(config.judge()) == {("kubeconfig.stale", "this computer"): "problem"}
    assert wrong(examine(replace(patient, ready=False), config)) == {}, "an unfinished cluster has none yet"


def test_a_provider_that_cannot_be_used_or_asked(patient, kubeconfig, provider):
    provider.problems.append(OhmykubeError("fake.space", "the disk is full", hint="make room"))
    assert wrong(examine(patient, kubeconfig)) == {("fake.space", "this computer"): "problem"}
    provider.unusable = lambda: "it needs root"
    assert wrong(examine(patient, kubeconfig)) == {("provider.unusable", "this computer"): "problem"}

    def fails():
        raise OhmykubeError("fake.hangs", "nothing answers")

    provider.machines = fails
    assert wrong(examine(patient, kubeconfig))[("fake.hangs", "dev")] == "problem"


def test_a_control_plane_without_one(patient, kubeconfig, nodes):
    for part in ("api_server", "etcd", "cluster", "dns_endpoints"):
        del nodes.said[PLANE][part]
    assert wrong(examine(patient, kubeconfig)) == {
        ("control-plane.missing", PLANE): "problem",
        ("cluster", "dev"): "unknown",
    }
