"""What up would do, told before it does it."""

from ohmykube.model.changes import refuse
from ohmykube.model.document import parse
from ohmykube.model.load import build
from ohmykube.model.machines import Machine, wanted
from ohmykube.model.members import remove, with_gaps
from ohmykube.model.plan import Step, refusals, steps

DEFAULTS = {("spec", "provider"): "fake", ("spec", "kubernetesVersion"): "v1.36.4"}


def cluster(text="spec: {}"):
    document = parse(text, "dev.yaml")
    return build("dev", document=document, defaults=DEFAULTS, supported_versions=("v1.36.4", "v1.35.8"))


def running(wish):
    return [Machine(machine.name, "running") for machine in wanted(wish)]


def test_a_cluster_that_is_not_there_is_made():
    found = steps(None, cluster(), [])
    assert [(step.action, step.what) for step in found] == [
        ("create", "dev-control-plane-1"),
        ("create", "dev-worker-1"),
        ("create", "dev-worker-2"),
    ]
    assert found[0].detail == "control-plane, 2 CPU, 4GiB of memory, 20GiB of disk"


def test_nothing_to_do():
    assert steps(cluster(), cluster(), running(cluster())) == []


def test_machines_that_come_go_and_are_off():
    old = cluster()
    machines = [*running(old)[:-1], Machine("dev-worker-2", "stopped")]
    grown = cluster("spec: {workers: [{name: worker, count: 3}]}")
    assert [(step.action, step.what) for step in steps(old, grown, machines)] == [
        ("create", "dev-worker-3"),
        ("start", "dev-worker-2"),
    ]
    shrunk = cluster("spec: {workers: [{name: worker, count: 1}]}")
    assert steps(old, shrunk, machines) == [Step("remove", "dev-worker-2", "emptied first")]


def test_marks_and_other_fields():
    new = cluster(
        "spec: {workers: [{name: worker, count: 2, labels: {a: b}, taints: ['x=y:NoSchedule']}], storage: {csi: none}}"
    )
    assert steps(cluster(), new, running(new)) == [
        Step("mark", "group worker", "labels a=b"),
        Step("mark", "group worker", "taints x=y:NoSchedule"),
        Step("change", "spec.storage.csi", "local-path -> none"),
    ]


def test_files_and_hooks_that_are_new_or_have_changed():
    def wish(script, mode, more=""):
        files = f"[{{path: /etc/a, content: hush, mode: '{mode}'}}{more}]"
        return cluster(
            f"spec: {{hooks: {{preSystem: [{{name: one, script: 'true'}}, {{name: two, script: {script}}}]}},"
            f" workers: [{{name: worker, count: 2, files: {files}}}]}}"
        )

    old, new = wish("hush-1", "0644", ", {path: /etc/b, directory: true}"), wish("hush-2", "0600")
    refuse(old, new)
    assert steps(old, new, running(new)) == [
        Step("run", "all nodes", "run hook two (preSystem)"),
        Step("place", "group worker", "file /etc/a"),
        Step("restore", "group worker", "file /etc/b as it was before"),
    ]
    assert steps(new, new, running(new)) == []
    assert [step.action for step in steps(cluster(), new, running(new))] == ["run", "run", "place"]


def test_files_of_this_computer_are_compared_by_what_they_hold():
    text = (
        "spec: {{hooks: {{postKubernetes: [{{name: a, file: {0}, sum: {1}}}]}},"
        " files: [{{path: /a, source: {0}, sum: {1}}}]}}"
    )
    old = cluster(text.format("/one", "x"))
    assert steps(old, cluster(text.format("/two", "x")), running(old)) == []
    assert [step.action for step in steps(old, cluster(text.format("/one", "y")), running(old))] == ["place", "run"]


def test_what_would_be_refused_is_told_with_the_rest():
    new = cluster("spec: {kubernetesVersion: v1.35.8, network: {podCIDR: 10.200.0.0/16}}")
    assert [error.code for error in refusals(cluster(), new)] == ["spec.fixed", "spec.fixed"]
    assert refusals(None, new) == []
    assert refusals(cluster(), cluster()) == []


def test_what_kubeadm_has_read_cannot_change_once_the_cluster_was_ready():
    def reads(kind, **patches):
        document = {"apiVersion": "v1", "kind": kind}
        return cluster(f"spec: {{kubeadm: {{read: {{documents: [{document}], patches: {patches}}}}}}}")

    kubelet, join = reads("KubeletConfiguration"), reads("JoinConfiguration", x="1")
    assert [error.code for error in refusals(cluster(), kubelet)] == ["spec.fixed"]
    assert refusals(cluster(), join) == []
    assert refusals(cluster(), kubelet, made=False) == []
    swap = cluster("spec: {swap: true}")
    assert [error.context["path"] for error in refusals(cluster(), swap)] == ["spec.swap"]
    assert refusals(cluster(), swap, made=False) == []
    assert steps(kubelet, join, running(join)) == [
        Step("change", "spec.kubeadm.config", "JoinConfiguration"),
        Step("change", "spec.kubeadm.config", "KubeletConfiguration"),
        Step("change", "spec.kubeadm.patches", "x, for nodes that are made from now on"),
    ]


def test_a_file_that_says_nothing_of_gaps_keeps_the_names_of_nodes():
    before = remove(cluster(), ["dev-worker-1"])
    file = cluster("spec: {workers: [{name: worker, count: 2}, {name: big}]}")
    assert [machine.name for machine in wanted(with_gaps(file, before))][1:] == [
        "dev-worker-2",
        "dev-worker-3",
        "dev-big-1",
    ]
    said = cluster("spec: {workers: [{name: worker, count: 1, absent: [2]}]}")
    assert with_gaps(said, before) == said


def test_add_ons_that_come_change_and_go():
    def has(*addons):
        return cluster(f"spec: {{addons: [{', '.join(addons)}]}}")

    old, new = "{name: own, path: /own, files: {addon.yml: a}}", "{name: own, path: /own, files: {addon.yml: b}}"
    before = has("metrics-server", old)
    assert steps(before, has(old, "metrics-server"), running(before)) == []
    found = steps(before, has(new, "{name: other, path: /other}"), running(before))
    assert {(step.action, step.what) for step in found} == {("change", "spec.addons")}
    assert [step.detail for step in found] == ["own, whose files have changed", "other comes", "metrics-server goes"]
