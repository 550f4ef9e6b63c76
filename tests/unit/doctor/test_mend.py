"""Remedies are carried out once, and what is reported is what a second look finds."""

import threading
import time

import pytest

from ohmykube.doctor.base import Check, Finding, ok, run
from ohmykube.doctor.examine import examine, mend
from ohmykube.errors import OhmykubeError
from tests.patience import PATIENCE
from tests.unit.doctor.patients import PLANE, WORKER, wrong


@pytest.fixture
def cure(patient, kubeconfig):
    """Of the cluster, without time for anything to come back."""
    return lambda: mend(lambda: examine(patient, kubeconfig), lambda _: None, settle=0)


def test_nothing_is_done_to_what_is_well(cure, nodes, provider):
    assert (cure().mended, nodes.told, provider.started) == (0, [], [])


def test_a_machine_is_started_and_then_its_services(cure, provider, nodes):
    """What is found only after a remedy is mended too."""
    provider.existing[WORKER] = "stopped"
    nodes.said[WORKER]["services"] = {"containerd": "inactive", "kubelet": "inactive"}
    cured = cure()
    assert wrong(cured.findings) == {}
    assert cured.mended == 2
    assert provider.started == [WORKER]
    assert nodes.told == [(WORKER, "node_mend", {"services": ["containerd", "kubelet"]})]
    assert {each.code for each in cured.findings if each.fixed} == {"machine.stopped", "service.down"}


def test_a_clock_is_set_by_what_it_was_off(cure, nodes):
    nodes.said[WORKER]["time"] = time.time() + 90
    assert cure().mended == 1
    ((where, module, options),) = nodes.told
    assert (where, module, round(options["clock_ahead"])) == (WORKER, "node_mend", 90)


def test_certificates_are_renewed(cure, nodes):
    one = {"path": "/etc/kubernetes/pki/apiserver.crt", "ends": time.time() - 1, "kind": "kubeadm"}
    nodes.said[PLANE]["certificates"].insert(0, one)
    assert cure().mended == 1
    assert nodes.told == [(PLANE, "node_mend", {"renew_days": 30})]


@pytest.mark.parametrize(("node", "signer"), [(PLANE, PLANE), (WORKER, PLANE)])
def test_a_kubelet_gets_a_new_identity(cure, nodes, node, signer):
    one = {"path": "/var/lib/kubelet/pki/kubelet-client-current.pem", "ends": time.time() - 1, "kind": "kubelet"}
    nodes.said[node]["certificates"].insert(0, one)
    assert cure().mended == 1
    assert nodes.told == [
        (signer, "kubelet_identity", {"node": node}),
        (node, "kubelet_identity", {"node": node, "identity": f"of {node}"}),
    ]


def test_nobody_can_sign(cure, nodes, provider):
    one = {"path": "/var/lib/kubelet/pki/kubelet-client-current.pem", "ends": time.time() - 1, "kind": "kubelet"}
    nodes.said[WORKER]["certificates"].insert(0, one)
    del provider.existing[PLANE]
    assert "no control plane runs that could sign it" in str(cure().findings)


def test_the_cluster_is_told_of_new_addresses_once(cure, nodes, provider):
    provider.moved |= {WORKER: "10.0.0.77", PLANE: "10.0.0.78"}
    cure()
    assert nodes.resumed == 1


def test_an_orphan_is_emptied_before_it_goes(cure, provider, nodes):
    provider.existing["dev-worker-9"] = "running"
    assert cure().mended == 1
    assert nodes.told == [(PLANE, "kube_remove", {"nodes": ["dev-worker-9"], "dead": []})]
    assert "dev-worker-9" not in provider.existing


def test_an_orphan_with_data_stays_and_the_reason_is_told(cure, provider, nodes):
    provider.existing["dev-worker-9"] = "stopped"
    nodes.refuses = OhmykubeError("node.volumes", "data would be lost")
    cured = cure()
    assert cured.mended == 0
    assert wrong(cured.findings) == {("machine.orphan", "dev-worker-9"): "warning"}
    assert "its remedy failed: data would be lost" in str(cured.findings)
    assert "dev-worker-9" in provider.existing


def test_an_orphan_stays_where_nobody_can_empty_it(cure, provider, nodes):
    provider.existing["dev-worker-9"] = "running"
    nodes.silent.add(PLANE)
    provider.existing[PLANE] = "broken"
    provider.start = provider.started.append
    assert "no control plane runs" in str(cure().findings)
    assert "dev-worker-9" in provider.existing


def test_machines_are_started_together(cure, provider, nodes):
    """And each that cannot be is told of."""
    provider.existing |= {PLANE: "stopped", WORKER: "stopped"}
    assert cure().mended == 2
    assert sorted(provider.started) == [PLANE, WORKER]
    provider.existing |= {PLANE: "stopped", WORKER: "stopped"}
    provider.refuse_start = {WORKER}
    cured = cure()
    assert cured.mended == 1
    assert "its remedy failed: no power" in next(each.what for each in cured.findings if each.where == WORKER)


def test_what_cannot_be_seen_any_more_is_not_mended(cure, provider, nodes):
    nodes.said[WORKER]["services"]["kubelet"] = "failed"
    nodes.dies_of_remedies = True
    cured = cure()
    assert cured.mended == 0
    assert wrong(cured.findings)[("ssh.unreachable", WORKER)] == "problem"


def test_what_time_mends_is_waited_for_after_a_remedy():
    looks = [
        [Finding("a", "x", "problem", "down", fix=lambda: None)],
        [Finding("b", "x", "problem", "booting", passing=True)],
        [Finding("b", "x", "problem", "booting", passing=True)],
        [ok("a", "x", "fine")],
    ]
    cured = mend(lambda: looks.pop(0), lambda _: None, settle=30)
    assert (cured.mended, looks) == (1, [])


def test_a_remedy_is_tried_once():
    tried = []
    finding = Finding("a", "x", "problem", "down", fix=lambda: tried.append(1))
    cured = mend(lambda: [finding], lambda _: None, settle=0)
    assert (cured.mended, tried, cured.findings) == (0, [1], [finding])


def test_a_look_that_hangs_fails_or_finds_holds_nothing_up():
    def fails():
        raise OhmykubeError("x.failed", "it failed", hint="do this")

    released = threading.Event()
    found = run(
        [
            Check("slow", "a", lambda: [ok("late", "a", str(released.wait(PATIENCE)))], timeout=0.1),
            Check("failing", "b", fails),
            Check("good", "c", lambda: [ok("good", "c", "fine")]),
        ]
    )
    released.set()
    assert [(each.code, each.where, each.severity) for each in found] == [
        ("slow.no-end", "a", "warning"),
        ("x.failed", "b", "problem"),
        ("good", "c", "ok"),
    ]


def test_a_defect_is_not_a_finding():
    with pytest.raises(ZeroDivisionError):
        run([Check("defect", "a", lambda: [1 // 0])])
