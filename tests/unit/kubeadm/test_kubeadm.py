"""kubeadm runs only where the world says so, and never over data."""

import json
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import kubeadm, tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import (
    CONFIG,
    INITIALISED,
    KUBELET,
    Kubeadm,
    Setup,
    alone,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, until, with_file

from tests.unit.kubeadm.node import Node

PATCHES = {"etcd+json.yaml": "[]", "../outside.yaml": "x"}


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_a_bare_machine_is_initialised_and_remembers_it(node):
    kubeadm = Kubeadm(node.host, ["SystemVerification"])
    assert kubeadm.needs_init(timeout=1)
    kubeadm.init(Setup("kind: x", PATCHES), timeout=9)
    (call,) = node.called("kubeadm", "init")
    assert "--ignore-preflight-errors=SystemVerification" in call
    assert not node.called("reset")
    assert node.host.read(CONFIG) == "kind: x"
    assert node.host.path(CONFIG).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in node.host.path("/etc/kubernetes/patches").iterdir()) == [
        "etcd+json.yaml",
        "outside.yaml",
    ]
    assert not kubeadm.needs_init(timeout=1)


def test_what_an_interrupted_init_left_is_wiped_first(node):
    node.write("/etc/kubernetes/manifests/etcd.yaml")
    Kubeadm(node.host).init(Setup("kind: x", PATCHES), timeout=9)
    assert [call[2:4] for call in node.called("kubeadm")] == [["kubeadm", "reset"], ["kubeadm", "init"]]


def test_a_finished_control_plane_that_does_not_answer_is_never_wiped(node):
    node.write(INITIALISED)
    node.on("--raw=/readyz", say=Completed(1))
    with pytest.raises(OhmykubeError, match="was set up before") as caught:
        Kubeadm(node.host).needs_init(timeout=0)
    assert caught.value.code == "kubeadm.unhealthy"
    assert not node.called("kubeadm")


def test_a_failed_init_names_the_errors_of_kubeadm_and_is_not_remembered(node):
    words = "[preflight] Running\n\t[ERROR Port-6443]: Port 6443 is in use\n\t[ERROR Mem]: too little\nhint"
    node.on("init", say=Completed(1, "", words)).on("journalctl", say="kubelet says no")
    with pytest.raises(OhmykubeError) as caught:
        Kubeadm(node.host).init(Setup("x"), timeout=9)
    assert "Port 6443 is in use; [ERROR Mem]" in caught.value.message
    assert caught.value.context["kubelet"] == "kubelet says no"
    assert not node.host.path(INITIALISED).exists()


def test_joining_leaves_no_token_behind_whether_it_works_or_not(node):
    Kubeadm(node.host).join(Setup("secret"), timeout=9)
    assert not node.host.path(CONFIG).exists()
    node.on("join", say=Completed(1, "", "error execution phase preflight: no"))
    with pytest.raises(OhmykubeError, match="error execution phase"):
        Kubeadm(node.host).join(Setup("secret"), timeout=9)
    assert not node.host.path(CONFIG).exists()
    assert not [call for call in node.calls if "secret" in call]


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        (Completed(0, "node/w1"), False),
        (Completed(1, "", 'nodes "w1" not found'), True),
        (Completed(1, "", "You must be logged in to the server (Unauthorized)"), True),
        (Completed(1, "", "x509: certificate signed by unknown authority"), True),
    ],
)
def test_the_cluster_says_whether_it_knows_a_node(node, said, needed):
    node.write(KUBELET)
    node.on("get", say=said)
    assert Kubeadm(node.host).needs_join("w1", timeout=0) is needed


def test_a_machine_without_an_identity_must_join(node):
    assert Kubeadm(node.host).needs_join("w1", timeout=0)
    assert node.calls == []


def test_an_api_that_cannot_be_reached_says_nothing(node):
    node.write(KUBELET)
    node.on("get", say=Completed(1, "", "dial tcp: connection refused"))
    with pytest.raises(OhmykubeError) as caught:
        Kubeadm(node.host).needs_join("w1", timeout=0)
    assert caught.value.code == "kubeadm.unreachable"


def ready(name, status="True", address="1"):
    conditions = [{"type": "Ready", "status": status}]
    addresses = [{"type": "InternalIP", "address": address}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions, "addresses": addresses}}


def test_nodes_that_are_not_ready_are_missing(node):
    node.on(
        "get",
        "nodes",
        say=json.dumps({"items": [ready("a"), ready("b", "Unknown"), {"metadata": {"name": "c"}, "status": {}}]}),
    )
    assert tokens.missing_nodes(Kubectl(node.host), dict.fromkeys("abcd", ""), timeout=1) == ["b", "c", "d"]


def test_a_node_that_moved_is_missing_at_its_new_address(node):
    node.on("get", "nodes", say=json.dumps({"items": [ready("a", address="1"), ready("b", address="2")]}))
    assert tokens.missing_nodes(Kubectl(node.host), {"a": "1", "b": "3"}, timeout=1) == ["b"]


def test_a_machine_made_anew_is_missing_though_its_node_is_still_called_ready(node):
    node.on("get", "nodes", say=json.dumps({"items": [ready("a"), ready("b")]}))
    kubectl = Kubectl(node.host)
    assert tokens.missing_nodes(kubectl, {"a": "", "b": ""}, unjoined=["b"], timeout=1) == ["b"]
    assert tokens.forget_nodes(kubectl, ["b", "c"]) == ["b"]
    (call,) = node.called("delete", "nodes")
    assert call[-1] == "b"
    assert tokens.forget_nodes(kubectl, ["c"]) == []
    assert node.called("delete", "nodes") == [call]


def test_a_token_is_a_secret_in_a_private_file_and_never_an_argument(node, certificate):
    seen = []

    def keep(call):
        seen.append(json.loads(Path(call[-1].removeprefix("--filename=")).read_text()))
        return ""

    node.write("/etc/kubernetes/pki/ca.crt", certificate[0])
    node.on("apply", say=keep)
    looks = []

    def signed(call):
        """At the second look."""
        looks.append(call)
        identity = seen[0]["stringData"]["token-id"]
        signature = {f"jws-kubeconfig-{identity}": "…"} if len(looks) > 1 else {"jws-kubeconfig-other0": "…"}
        return json.dumps({"data": {"kubeconfig": "…", **signature}})

    node.on("get", "configmap/cluster-info", say=signed)
    made = tokens.mint(Kubectl(node.host))
    fields = seen[0]["stringData"]
    assert made["token"] == f"{fields['token-id']}.{fields['token-secret']}"
    assert made["ca_cert_hash"] == certificate[1]
    assert fields["usage-bootstrap-authentication"] == "true"
    assert not [word for call in node.calls for word in call if fields["token-secret"] in word]
    assert len(looks) == 2
    tokens.revoke_all(Kubectl(node.host))
    assert node.called("delete", "secrets")


def test_a_token_that_nobody_signs_says_where_to_look(node, certificate, monkeypatch):
    monkeypatch.setattr(tokens, "_SIGN_TIMEOUT", 0)
    node.write("/etc/kubernetes/pki/ca.crt", certificate[0])
    with pytest.raises(OhmykubeError, match="the token is not signed") as error:
        tokens.mint(Kubectl(node.host))
    assert "kube-controller-manager" in error.value.context["output"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A CA's certificate, and the hash of its key as openssl computes it."""
    import hashlib
    import subprocess

    folder = tmp_path_factory.mktemp("ca")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=kubernetes",
            "-keyout",
            "k",
            "-out",
            "c",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    pem = subprocess.run(
        ["openssl", "x509", "-in", "c", "-pubkey", "-noout"], cwd=folder, check=True, capture_output=True
    ).stdout
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "der"], input=pem, check=True, capture_output=True
    ).stdout
    return (folder / "c").read_text(), f"sha256:{hashlib.sha256(der).hexdigest()}"


def test_patience_ends_with_the_time_and_is_for_passing_faults_only():
    tries = []

    def work():
        tries.append(1)
        if len(tries) < 3:
            raise OhmykubeError("x", "m", context={"output": "failed calling webhook"})
        return "done"

    assert patiently(work, timeout=5) == "done"
    with pytest.raises(OhmykubeError, match="denied"):
        patiently(lambda: (_ for _ in ()).throw(OhmykubeError("x", "denied", context={"output": "denied"})), timeout=5)


def test_waiting_names_what_is_missing_and_explains_once():
    with pytest.raises(OhmykubeError) as caught:
        until(lambda: ["node a"], timeout=0, what="not ready", explain=lambda: "because")
    assert "node a" in caught.value.message
    assert caught.value.context["output"] == "because"


def test_a_private_file_is_gone_after_its_use():
    path = with_file("x", lambda path: path if Path(path).stat().st_mode & 0o777 == 0o600 else "")
    assert path
    assert not Path(path).exists()


def test_kubectl_fails_with_its_own_words(node):
    node.on("get", say=Completed(1, "", "first\nthe server says no"))
    with pytest.raises(OhmykubeError, match="kubectl get failed: the server says no"):
        Kubectl(node.host).json("get", "nodes")
    node.on("get", say="")
    assert Kubectl(node.host).items("nodes") == []
    node.on("get", say='{"kind": "Node"}')
    assert Kubectl(node.host).items("node", "a") == [{"kind": "Node"}]


def test_one_module_at_a_time_makes_a_node(node, monkeypatch):
    monkeypatch.setattr(kubeadm, "_LOCK_TIMEOUT", 0)

    @alone
    def module(options, host, *, check_mode):
        return options["inner"]({}, host, check_mode=check_mode) if "inner" in options else options

    for _ in range(2):
        assert module({"a": 1}, node.host, check_mode=False) == {"a": 1}
        with pytest.raises(OhmykubeError, match="Another process"):
            module({"inner": module}, node.host, check_mode=False)
    assert module({"inner": module}, node.host, check_mode=True) == {}
