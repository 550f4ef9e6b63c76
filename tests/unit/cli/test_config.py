"""config: what a cluster file means, where it comes from, and what kubeadm is given."""

import json

import jsonschema
import pytest
import yaml

from ohmykube.kubeadm_files import SECRET
from ohmykube.store.home import Home
from ohmykube.store.state import MachineRecord, State
from tests.unit.cli.test_cli import made, write

KUBEADM = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  certSANs: [example.org]
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: 50
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "own.yaml").write_text(KUBEADM)
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches/etcd+merge.yaml").write_text("spec: {priority: 1}\n")
    return write(
        tmp_path / "dev.yaml",
        provider="nspawn",
        controlPlane={"count": 3, "cpu": 4},
        workers=[{"name": "worker"}, {"name": "big", "labels": {"size": "big"}}],
        kubeadm={"config": "own.yaml", "patches": "patches"},
    )


def shown(run, *args):
    code, out, err = run("config", "show", *args, "-o", "json")
    assert code == 0, err
    return json.loads(out)["data"]


def test_each_value_says_where_it_comes_from(run, file, monkeypatch):
    monkeypatch.setenv("OHMYKUBE_LB", "none")
    data = shown(run, "-f", file, "--template", "debian-12", "--name", "other")
    origins = data["origins"]
    assert data["cluster"]["spec"]["template"] == "debian-12"
    assert origins["spec.template"] == "--template"
    assert origins["metadata.name"] == "--name"
    assert origins["spec.network.loadBalancer"] == "OHMYKUBE_LB"
    assert origins["spec.network.cni"] == "default"
    assert origins["spec.controlPlane.memory"] == "default"
    lines = file.read_text().splitlines()
    for path, words in (("controlPlane.cpu", "cpu: 4"), ("workers.1.labels.size", "size: big"), ("provider", "nspawn")):
        place, _, number = origins[f"spec.{path}"].rpartition(":")
        assert place == str(file)
        assert words in lines[int(number) - 1]
    assert data["cluster"]["spec"]["kubeadm"] == {
        "config": str(file.parent / "own.yaml"),
        "patches": str(file.parent / "patches"),
    }


def test_a_template_of_ones_own_is_found_from_anywhere(run, file, tmp_path, monkeypatch):
    """As any file that a cluster file names; one of a flag is where the person is."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "mine.yaml").write_text(file.read_text().replace("spec:", "spec:\n  template: machines/mine.yaml"))
    for args, wanted in (((), "machines/mine.yaml"), (("-t", "./mine.yaml"), "here/mine.yaml")):
        spec = shown(run, "-f", tmp_path / "mine.yaml", "--provider", "lima", *args)["cluster"]["spec"]
        assert spec["template"] == str(tmp_path / wanted)


def test_what_is_shown_is_a_cluster_file_with_comments(run, file, tmp_path):
    code, out, _ = run("config", "show", "-f", file)
    assert code == 0
    again = tmp_path / "again.yaml"
    again.write_text(out)
    assert shown(run, "-f", again)["cluster"] == shown(run, "-f", file)["cluster"]
    commented = [line for line in out.splitlines() if "# " in line]
    assert len({line.index("# ") for line in commented}) == 1
    assert any(line.startswith("  template: ubuntu-24.04 ") and line.endswith("# default") for line in commented)


def test_without_a_file_it_is_what_up_would_make(run, monkeypatch):
    origins = shown(run, "--provider", "nspawn")["origins"]
    assert origins["metadata.name"] == "default"
    assert origins["spec.provider"] == "--provider"
    monkeypatch.setenv("OHMYKUBE_NAME", "dev")
    assert shown(run, "--provider", "nspawn")["origins"]["metadata.name"] == "OHMYKUBE_NAME"


def test_of_a_cluster_that_is_there_the_usual_values_are_defaults(run):
    folder = made("dev", swap=True)
    origins = shown(run, "--name", "dev", "--cni", "none")["origins"]
    assert origins["spec.swap"].startswith(f"{folder.spec_file}:")
    assert origins["spec.network.cni"] == "--cni"
    assert origins["spec.network.podCIDR"] == "default"
    assert origins["spec.storage.csi"] == "default"


def test_text_of_several_lines_stays_whole(run, tmp_path):
    file = write(tmp_path / "dev.yaml", provider="nspawn", vars={"a": "one\ntwo # three\n", "b": "x" * 300})
    code, out, _ = run("config", "show", "-f", file)
    assert code == 0
    assert yaml.safe_load(out)["spec"]["vars"] == {"a": "one\ntwo # three\n", "b": "x" * 300}


def test_kubeadms_documents_by_role_and_without_secrets(run, file):
    (file.parent / "own.yaml").write_text(
        f"{KUBEADM}---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
        "bootstrapTokens: [{token: abcdef.0123456789abcdef}]\ncertificateKey: abc\n"
        "nodeRegistration: {kubeletExtraArgs: [{name: registry-password, value: abc}, {name: v, value: '4'}]}\n"
    )
    data = shown(run, "-f", file, "--kubeadm")
    assert [role["role"] for role in data["roles"]] == ["control-plane", "joining-control-plane", "worker"]
    plane, joining, worker = ({document["kind"]: document for document in role["documents"]} for role in data["roles"])
    assert data["roles"][1]["node"] == "dev-control-plane-2"
    assert plane["ClusterConfiguration"]["apiServer"]["certSANs"][-1] == "example.org"
    assert plane["KubeletConfiguration"]["maxPods"] == 50
    assert plane["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0, "min": 0}  # the provider's
    assert plane["InitConfiguration"]["bootstrapTokens"] == [{"token": SECRET}]
    assert plane["InitConfiguration"]["certificateKey"] == SECRET
    flags = plane["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    assert flags[:2] == [{"name": "registry-password", "value": SECRET}, {"name": "v", "value": "4"}]
    assert joining["JoinConfiguration"]["controlPlane"]["certificateKey"] == SECRET
    assert worker["JoinConfiguration"]["discovery"]["bootstrapToken"]["token"] == SECRET
    assert worker["JoinConfiguration"]["nodeRegistration"]["name"] == "dev-worker-1"
    assert data["patches"] == {"etcd+merge.yaml": "spec: {priority: 1}\n"}
    code, out, _ = run("config", "show", "-f", file, "--kubeadm")
    assert code == 0
    assert "0123456789abcdef" not in out
    documents = [document for document in yaml.safe_load_all(out) if document]
    assert len(documents) == 4 + 1 + 1 + 1


def test_kubeadms_documents_of_a_cluster_that_is_there_have_its_addresses(run):
    folder = made("dev")
    record = MachineRecord("cp1", "control-plane", "control-plane")
    from ohmykube.model.machines import Machine

    seen = Machine("cp1", "running", "10.1.2.3")
    folder.write_state(State("dev", "static", (MachineRecord(record.name, record.role, record.group, seen),)))
    (role,) = shown(run, "--name", "dev", "--kubeadm")["roles"]
    assert role["documents"][0]["localAPIEndpoint"] == {"advertiseAddress": "10.1.2.3"}
    assert role["documents"][0]["nodeRegistration"]["taints"] == []


def test_a_good_file_is_good(run, file):
    code, out, _ = run("config", "validate", "-f", file)
    assert code == 0
    assert "good cluster file: dev, 5 nodes" in out
    data = json.loads(run("config", "validate", "-f", file, "-o", "json")[1])["data"]
    assert data["machines"][0] == "dev-control-plane-1"
    assert not (Home.from_environment().path / "clusters").exists()


def test_every_problem_of_every_file_at_once(run, file):
    (file.parent / "own.yaml").write_text("kind: X\n---\n" + KUBEADM + "memorySwap: 3\n")
    (file.parent / "patches/ectd.yaml").write_text("")
    file.write_text(file.read_text() + "  workerz: 1\n")
    code, out, err = run("config", "validate", "-f", file, "-o", "json")
    assert code == 2
    answer = json.loads(out)
    assert [error["code"] for error in answer["errors"]] == [
        "spec.invalid",
        "kubeadm.patch",
        "kubeadm.document",
        "kubeadm.field",
    ]
    assert all(error["context"]["origin"].partition(":")[0].startswith(str(file.parent)) for error in answer["errors"])
    assert "own.yaml:1" in err
    assert "dev.yaml:" in err


def test_a_clash_is_found_before_anything_is_made(run, file, home):
    (file.parent / "own.yaml").write_text(
        KUBEADM + "---\n" + KUBEADM.replace("certSANs: [example.org]", "certSANs: []")
    )
    code, _, err = run("up", "-f", file)
    assert code == 2
    assert "stands twice" in err
    (file.parent / "own.yaml").write_text(KUBEADM.replace("apiServer:", "kubernetesVersion: v1.30.0\napiServer:"))
    for verb in ("plan", "up"):
        code, _, err = run(verb, "-f", file)
        assert code == 2
        assert "ClusterConfiguration.kubernetesVersion: cannot be 'v1.30.0'" in err
        assert "own.yaml:3" in err
        assert "spec.kubernetesVersion" in err
    assert not (home / "clusters").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("own.yaml", None, "there is no such file (dev.yaml:"),
        ("own.yaml", b"\xff\xfe", "own.yaml:1: "),
        ("own.yaml", b"a: [\n", "own.yaml:2: "),
        ("patches/etcd+merge.yaml", b"\xff", "etcd+merge.yaml:1: "),
        ("patches/etcd+merge.yaml", None, "there is no patch in this folder"),
    ],
)
def test_files_that_cannot_be_read(run, file, monkeypatch, name, content, words):
    monkeypatch.chdir(file.parent)
    path = file.parent / name
    path.unlink() if content is None else path.write_bytes(content)
    code, _, err = run("config", "validate", "-f", "dev.yaml")
    assert code == 2
    assert words in err


@pytest.mark.parametrize("path", ["", "~nobody-of-this-name/x", "a\0b", "x" * 5000, "patches"])
def test_a_path_that_is_none_is_a_problem_and_no_defect(run, file, path):
    document = yaml.safe_load(file.read_text())
    document["spec"]["kubeadm"]["config"] = path
    file.write_text(yaml.safe_dump(document))
    code, _, err = run("config", "validate", "-f", file)
    assert code == (2 if path else 0)
    assert "internal" not in err


def test_a_flags_path_counts_from_here_and_a_files_from_the_file(run, file, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.yaml").write_text(KUBEADM)
    monkeypatch.chdir(elsewhere)
    kubeadm = shown(run, "-f", file, "--kubeadm-config", "mine.yaml")["cluster"]["spec"]["kubeadm"]
    assert kubeadm == {"config": str(elsewhere / "mine.yaml"), "patches": str(tmp_path / "patches")}


def test_ipvs_is_deprecated_wherever_it_is_said(run, file):
    for args in (("--proxy-mode", "ipvs"), ()):
        code, _, err = run("config", "show", "-f", file, *args)
        assert code == 0
        assert ("deprecated since Kubernetes 1.35" in err) == bool(args)
    (file.parent / "own.yaml").write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n"
    )
    assert "deprecated since Kubernetes 1.35" in run("plan", "-f", file)[2]


def test_a_cluster_remembers_what_its_files_said(run, file):
    folder = made(
        "dev",
        kubeadm={"config": str(file.parent / "own.yaml"), "read": {"documents": list(yaml.safe_load_all(KUBEADM))}},
    )
    folder.write_state(State("dev", "static", ready="2026-01-01T00:00:00+00:00"))
    code, _, err = run("plan", "--name", "dev")
    assert (code, err) == (0, "")
    (file.parent / "own.yaml").write_text(KUBEADM.replace("50", "60"))
    code, out, err = run("plan", "--name", "dev")
    assert code == 2
    assert "the KubeletConfiguration of an existing cluster cannot change" in err
    assert "~ spec.kubeadm.config  KubeletConfiguration" in out
    folder.write_state(State("dev", "static"))  # it was never ready: kubeadm begins anew
    assert run("plan", "--name", "dev")[0] == 0
    (file.parent / "own.yaml").unlink()
    code, _, err = run("plan", "--name", "dev")
    assert code == 0
    assert "what it said before is used" in err


def test_the_schema_takes_what_the_command_line_takes(run, file):
    code, out, _ = run("config", "schema")
    schema = json.loads(out)
    assert code == 0
    assert json.loads(run("config", "schema", "-o", "json")[1])["data"] == schema
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid(yaml.safe_load(file.read_text()))
    assert check.is_valid(shown(run, "-f", file)["cluster"])
    assert check.is_valid({"spec": {"workers": [{"name": "a", "memory": 4}]}})
    for wrong in (
        {"spec": {"workerz": 1}},
        {"spec": {"network": {"proxyMode": "x"}}},
        {"spec": {"swap": "maybe"}},
        {"kind": "Pod"},
    ):
        assert not check.is_valid(wrong), wrong
    assert schema["$defs"]["ControlPlane"]["properties"]["memory"]["default"] == "4GiB"
