"""Layers, validation, and messages that name the place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmykube.errors import ErrorGroup, OhmykubeError
from ohmykube.model import load
from ohmykube.model.changes import refuse
from ohmykube.model.document import Document, parse
from ohmykube.model.load import WORKERS, Given
from ohmykube.model.machines import wanted
from ohmykube.model.names import cluster_name
from ohmykube.model.parts import hook_seconds

DEFAULTS = {("spec", "provider"): "lima", ("spec", "kubernetesVersion"): "v1.36.4"}
VERSIONS = ("v1.37.1", "v1.36.4", "v1.35.8", "v1.30.9")


def build(text="", *given, name="dev"):
    document = parse(text, "dev.yaml") if text else None
    return load.build(name, document=document, given=given, defaults=DEFAULTS, supported_versions=VERSIONS)


def problems(text="", *given, name="dev"):
    with pytest.raises(OhmykubeError) as caught:
        build(text, *given, name=name)
    assert caught.value.exit_code == 2
    errors = caught.value.errors if isinstance(caught.value, ErrorGroup) else [caught.value]
    return [f"{error.message} | {error.hint}" for error in errors]


def test_the_defaults_are_those_of_the_requirements():
    spec = build().spec
    plane, (worker,) = spec.control_plane, spec.workers
    assert (plane.count, plane.cpu, plane.memory, plane.disk) == (1, 2, 4 * 2**30, 20 * 2**30)
    assert (worker.count, worker.cpu, worker.memory, worker.disk) == (2, 1, 2 * 2**30, 10 * 2**30)
    assert (spec.network.cni, spec.storage.csi, spec.network.load_balancer) == ("flannel", "local-path", "metallb")
    assert spec.template == "ubuntu-24.04"
    assert [machine.name for machine in wanted(build())] == ["dev-control-plane-1", "dev-worker-1", "dev-worker-2"]


def test_flags_win_over_the_file_and_the_file_over_defaults():
    text = "metadata: {name: other}\nspec: {workers: [{name: worker, count: 5, cpu: 3}], kubernetesVersion: v1.35.8}\n"
    cluster = build(text, Given((*WORKERS, "count"), 1, "--workers"), name="")
    assert cluster.name == "other"
    assert cluster.spec.kubernetes_version == "v1.35.8"
    assert (cluster.spec.workers[0].count, cluster.spec.workers[0].cpu) == (1, 3)


def test_groups_of_different_sizes():
    text = "spec: {workers: [{name: small, count: 1}, {name: big, count: 2, memory: 8, disks: [{size: 20GiB}]}]}\n"
    machines = wanted(build(text))
    assert [machine.name for machine in machines] == ["dev-control-plane-1", "dev-small-1", "dev-big-1", "dev-big-2"]
    assert (machines[3].memory, machines[3].disks) == (8 * 2**30, (20 * 2**30,))


def test_all_problems_at_once_each_with_its_line_and_a_suggestion():
    found = problems("spec:\n  workerz: 3\n  workers:\n    - {name: big, cuont: 2, memory: 4x}\n  swap: maybe\n")
    assert len(found) == 4
    assert any("spec.workerz" in line and "dev.yaml:2" in line and "'workers'" in line for line in found)
    assert any("cuont" in line and "dev.yaml:4" in line and "'count'" in line for line in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spec: {controlPlane: {count: 0}}", "spec.controlPlane.count"),
        ("spec: {controlPlane: {memory: 1GiB}}", "kubeadm's minimum of 1700MiB"),
        ("spec: {controlPlane: {cpu: 1}}", "needs 2 CPUs"),
        ("spec: {workers: [{name: w, memory: 100MiB}]}", "too little"),
        ("spec: {workers: [{name: w, disk: 1GiB}]}", "too little for Kubernetes"),
        ("spec: {network: {podCIDR: 10.96.0.0/16}}", "overlaps the pod CIDR"),
        ("spec: {network: {podCIDR: 10.244.0.0/26}}", "too small"),
        ("spec: {network: {proxyMode: none}}", "network.proxyMode: without kube-proxy services need a pod network"),
        ("spec: {network: {proxyMode: none, cni: none}}", "that makes them, and cni is none"),
        ("spec: {network: {serviceCIDR: 10.0.0.0/8}}", "larger than the API server accepts"),
        ("spec: {network: {podCIDR: 'fd01::/56'}}", "write one network of IPv4, or one of IPv4, a comma"),
        ("spec: {network: {podCIDR: 'fd01::/56,10.244.0.0/16'}}", "write one network of IPv4, or one of IPv4, a comma"),
        ("spec: {network: {podCIDR: '10.244.0.0/16,10.9.0.0/16'}}", "write one network of IPv4"),
        ("spec: {network: {podCIDR: '10.244.0.0/16,fd01::/56'}}", "podCIDR: is of both families, and the other"),
        ("spec: {network: {serviceCIDR: '10.96.0.0/12,fd02::/112'}}", "serviceCIDR: is of both families"),
        (
            "spec: {network: {podCIDR: '10.244.0.0/16,fd01::/56', serviceCIDR: '10.96.0.0/12,fd01::/112'}}",
            "fd01::/112 overlaps the pod CIDR fd01::/56",
        ),
        (
            "spec: {network: {podCIDR: '10.244.0.0/16,fd01::/64', serviceCIDR: '10.96.0.0/12,fd02::/112'}}",
            "fd01::/64 is too small: each node takes a /64",
        ),
        (
            "spec: {network: {podCIDR: '10.244.0.0/16,fd00::/40', serviceCIDR: '10.96.0.0/12,fe00::/112'}}",
            "larger than Kubernetes accepts",
        ),
        (
            "spec: {network: {podCIDR: '10.244.0.0/16,fd01::/56', serviceCIDR: '10.96.0.0/12,fd02::/64'}}",
            "larger than the API server accepts",
        ),
        ("spec: {network: {podCIDR: 10.244.0.0}}", "overlaps|too small|no network"),
        ("spec: {network: {cni: none}}", "cannot start without a pod network"),
        ("spec: {network: {cni: flanell}}", "'flanell' is no pod network, and none of spec.addons.*mean 'flannel'"),
        ("spec: {network: {proxyMode: none, cni: x}}", "'x' is no pod network"),
        ("spec: {network: {cni: x}, addons: [y]}", "known: cilium, flannel, none, y"),
        ("spec: {storage: {csi: local-pth}}", "'local-pth' is no storage.*mean 'local-path'"),
        ("spec: {network: {addressPool: '10.0.0.1-10.0.0.9,fd00::9-fd00::1'}}", "ends before it begins"),
        ("spec: {network: {addressPool: 10.0.0.9-10.0.0.1}}", "ends before it begins"),
        ("spec: {kubernetesVersion: v1.12.0}", "not in the catalogue"),
        ("spec: {kubernetesVersion: v1.30.9}", "does not know the kubeadm documents.*v1.31 and later"),
        ("spec: {kubernetesVersion: latest}", "no Kubernetes version"),
        ("spec: {workers: [{name: a}, {name: a}]}", "names two groups"),
        ("spec: {workers: [{name: control-plane}]}", "is spec.controlPlane"),
        ("spec: {workers: [{name: A}]}", "no valid name"),
        ("spec: {workers: [{name: a, taints: ['x']}]}", "is no taint"),
        ("spec: {workers: [{name: a, labels: {'-': b}}]}", "no valid label"),
        ("spec: {provider: static}", "needs the machines' addresses"),
        ("spec: {hosts: [{name: a, address: b}]}", "makes its machines itself"),
        ("spec: {provider: static, hosts: [{name: a, address: b}, {name: a, address: b}]}", "stands twice"),
        ("spec: {provider: static, hosts: [{name: a, address: b}]}", "no host has the role"),
        ("spec: {provider: static, hosts: [{name: a, address: b, role: control-plane}]}", "free for load balancers"),
        ("spec: {hooks: {preSytem: []}}", "did you mean 'preSystem'"),
        ("spec: {hooks: {preSystem: [{name: a}]}}", "either a script.* or a file"),
        ("spec: {hooks: {preSystem: [{name: a, script: b, file: c}]}}", "either a script.* or a file"),
        ("spec: {hooks: {preSystem: [{name: A, script: b}]}}", "cannot name a hook"),
        ("spec: {hooks: {preSystem: [{name: a, script: b, timeout: 0}]}}", "must be 1 or more"),
        ("spec: {hooks: {preSystem: [{name: a, script: b}, {name: a, script: c}]}}", "two hooks of one node"),
        (
            "spec: {hooks: {preSystem: [{name: a, script: b}]},"
            " controlPlane: {hooks: {preSystem: [{name: a, script: c}]}}}",
            r"spec.controlPlane.hooks.preSystem.0.name: two hooks of one node.*dev.yaml:1",
        ),
        ("spec: {files: [{path: /etc/a}]}", "either content or a source"),
        ("spec: {files: [{path: /etc/a, content: '', directory: true}]}", "either content or a source"),
        ("spec: {files: [{path: etc/a, content: ''}]}", "no absolute path"),
        ("spec: {files: [{path: /etc/hosts, content: ''}]}", "own roles"),
        ("spec: {files: [{path: /etc/a, content: '', mode: 0644}]}", 'write it like mode: "0644"'),
        ("spec: {files: [{path: /etc/a, content: '', mode: rw}]}", "no mode in octal"),
        ("spec: {files: [{path: /etc/a, content: '', owner: 'a b'}]}", "neither the name nor the number"),
        ("spec: {files: [{path: /etc/a, content: ''}, {path: /etc/a, directory: true}]}", "/etc/a stands twice"),
        ("spec: {proxy: {httpProxy: 'socks5://a'}}", "is no proxy: write one like"),
        ("spec: {proxy: {httpProxy: 'http://ann:hush@a'}}", "'http://a' had a login: write that URL to a file"),
        ("spec: {proxy: {noProxy: ['a,b']}}", "spec.proxy.noProxy.0"),
        ("apiVersion: ohmykube.dev/v9", "apiVersion"),
        ("spec: 3", "must be a mapping"),
        ("spec: {workers: 3}", "spec.workers"),
    ],
)
def test_bad_values_are_named(text, words):
    import re

    assert any(re.search(words, line) for line in problems(text)), problems(text)


@pytest.mark.parametrize("name", ["cache", "../x", "Dev", "-a", "a" * 41, "a_b", "ä"])
def test_bad_names_are_refused(name):
    with pytest.raises(OhmykubeError) as caught:
        cluster_name(name)
    assert caught.value.code == "name.invalid"
    assert problems(name=name)


def test_a_worker_flag_is_refused_where_it_is_not_clear_which_group_it_means():
    text = "spec: {workers: [{name: a}, {name: b}]}"
    assert "--workers speaks of the workers" in problems(text, Given((*WORKERS, "count"), 1, "--workers"))[0]


def test_a_flag_with_a_bad_value_is_named_by_its_flag():
    assert "(--master-memory)" in problems("", Given(("spec", "controlPlane", "memory"), "lots", "--master-memory"))[0]


def test_a_flag_for_what_is_no_mapping_in_the_file_leaves_the_problem_to_its_line():
    found = problems("spec:\n  network: 3\n", Given(("spec", "network", "cni"), "none", "--cni"))
    assert any("spec.network" in line and "dev.yaml:2" in line for line in found)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("av1.:/-", max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=6,
)
spec_keys = st.sampled_from(
    [
        *("workers", "controlPlane", "network", "hosts", "ssh", "provider", "kubernetesVersion", "vars", "registries"),
        *("hooks", "files", "zz"),
    ]
)


@settings(max_examples=300)
@given(st.dictionaries(spec_keys, json_like, max_size=4), json_like)
def test_any_file_is_a_cluster_or_a_list_of_problems(spec, metadata):
    document = Document({"spec": spec, "metadata": metadata})
    try:
        load.build("dev", document=document, given=(), defaults=DEFAULTS, supported_versions=VERSIONS)
    except OhmykubeError as error:
        assert error.exit_code == 2


def test_a_written_cluster_reads_back_the_same():
    import yaml

    cluster = build(
        "spec: {workers: [{name: big, memory: 3000MiB, taints: ['a=b:NoSchedule']}], files: [{path: /a, content: ''}],"
        " hooks: {postSystem: [{name: a, script: \"#!/bin/sh\\necho '{{ x }}'\\n\"}]}}"
    )
    again = load.build(
        "dev", document=parse(yaml.safe_dump(cluster.as_data()), "f"), defaults={}, supported_versions=VERSIONS
    )
    assert again == cluster


def test_hooks_are_given_their_time():
    assert build().spec.hooks.seconds == hook_seconds(build()) == 0
    groups = "[{name: a, hooks: {preSystem: [{name: b, script: c, timeout: 7}]}}, {name: b}]"
    assert hook_seconds(build(f"spec: {{hooks: {{postSystem: [{{name: a, script: b}}]}}, workers: {groups}}}")) == 607


def test_growing_is_allowed_and_what_cannot_be_applied_is_refused():
    refuse(build(), build("spec: {workers: [{name: worker, count: 4}, {name: big, count: 1}]}"))
    refuse(build(), build("spec: {workers: [{name: worker, count: 1}]}"))
    for text, words in [
        ("spec: {network: {podCIDR: 10.200.0.0/16}}", "cannot change from 10.244.0.0/16"),
        ("spec: {kubernetesVersion: v1.35.8}", "kubernetesVersion"),
        ("spec: {workers: [{name: worker, count: 2, cpu: 8}]}", "cannot change its role, size"),
    ]:
        with pytest.raises(OhmykubeError, match=words) as caught:
            refuse(build(), build(text))
        assert caught.value.exit_code == 2
