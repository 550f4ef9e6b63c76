"""The role and playbooks, in check mode, since this computer is the node."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ohmykube import COLLECTIONS

README = COLLECTIONS / "ansible_collections/ohmykube/cluster/roles/rook_ceph/README.md"
PARTS = {
    "rook_crds": "kind: CustomResourceDefinition\nmetadata: {name: x}\n",
    "rook_common": "kind: Namespace\nmetadata: {name: rook-ceph}\n",
    "rook_csi_operator": "kind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {}}}\n",
    "rook_operator": "kind: OperatorConfig\nmetadata: {name: x}\n"
    "spec: {driverSpecDefaults: {nodePlugin: {}, controllerPlugin: {}}}\n",
}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PARTS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in PARTS.items()}
    overlay = {name: {"url": f"file:{name}.yaml", "versions": {"v99.0.0": {"any": sums[name]}}} for name in PARTS}
    (tmp_path / "own.yml").write_text(yaml.safe_dump({"components": overlay}))
    return tmp_path


def play(folder: Path, inventory: dict[str, object], *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": LOCAL, "children": inventory}}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(folder / "none"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "OHMYKUBE_CATALOGUE": str(folder / "own.yml"),
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", "--check", "--diff", *words]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def tasks(said: str) -> list[str]:
    return re.findall(r"^TASK \[(?:ohmykube.cluster.rook_ceph : )?([^\]]+)\]", said, re.MULTILINE)


def test_the_examples_of_the_readme(folder: Path) -> None:
    """The disks that they name are not here, so the part that looks at them says so, of each host."""
    plays, inventory = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    (folder / "play.yml").write_text(plays.replace("become: true", "become: false"))
    hosts = {**yaml.safe_load(inventory), "control_plane": {"hosts": {"cp": {}}}}
    done = play(folder, hosts, "play.yml")
    assert "there is no disk /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_data" in done.stdout
    missing = {f"worker-{number}": {"failed": 1} for number in (1, 2, 3)}
    assert all(re.search(rf"^{name} .* failed=1", done.stdout, re.MULTILINE) for name in missing)


def test_the_role_applies_rook_and_then_asks_for_ceph(folder: Path) -> None:
    storage = {"hosts": {f"w{number}": {"rook_ceph_disks": ["/dev/vdb"]} for number in (1, 2, 3)}}
    hosts = {"control_plane": {"hosts": {"cp": {"cluster_csi": "rook-ceph"}}}, "workers": storage}
    begin = "- {name: Begin, hosts: all, gather_facts: false}\n"
    (folder / "play.yml").write_text(f"{begin}- {{ansible.builtin.import_playbook: ohmykube.cluster.ceph}}\n")
    done = play(folder, hosts, "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tasks(done.stdout) == [
        "Fetch the manifests of Rook",
        "Apply Rook",
        "Ask for Ceph, its pools and its storage classes",
        "Wait until Ceph is well and makes volumes",
    ]


def test_objects_are_made_of_what_hosts_have(folder: Path) -> None:
    storage = {
        "hosts": {
            "w1": {"rook_ceph_disks": ["/dev/vdb", "/dev/vdc"], "kubeadm_node_taints": ["only=data:NoSchedule"]},
            "w2": {"kubeadm_node_taints": ["gpu:NoExecute", "only:NoSchedule"]},
        }
    }
    theirs = {"hosts": {"other": {"rook_ceph_disks": ["/dev/sda"], "kubeadm_node_taints": ["theirs:NoSchedule"]}}}
    hosts = {"control_plane": {"hosts": {"cp": {}}}, "workers": storage, "theirs": theirs}
    show = {"ansible.builtin.copy": {"content": "{{ made }}", "dest": f"{folder}/made.json"}, "check_mode": False}
    role = {
        "ansible.builtin.import_role": {"name": "ohmykube.cluster.rook_ceph", "tasks_from": "manifest", "public": True}
    }
    made = {"made": "{{ {'rook': __rook_ceph_manifest, 'ceph': __rook_ceph_cluster} | to_json }}"}
    own = [
        {
            "hosts": "control_plane",
            "gather_facts": False,
            "tasks": [{**role, "check_mode": False}, {**show, "vars": made}],
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(own))
    done = play(folder, hosts, "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    texts = yaml.safe_load((folder / "made.json").read_text())
    ceph = {item["kind"]: item for item in yaml.safe_load_all(texts["ceph"])}
    devices = [{"name": "/dev/vdb"}, {"name": "/dev/vdc"}]
    assert ceph["CephCluster"]["spec"]["storage"]["nodes"] == [{"name": "w1", "devices": devices}]
    rook = {item["kind"]: item for item in yaml.safe_load_all(texts["rook"])}
    assert next(iter(rook)) == "CustomResourceDefinition"
    keys = [each["key"] for each in rook["Deployment"]["spec"]["template"]["spec"]["tolerations"]]
    assert keys == ["gpu", "only"]
    drivers = rook["OperatorConfig"]["spec"]["driverSpecDefaults"]
    assert drivers["controllerPlugin"]["replicas"] == 1


def test_clusters_without_ceph_pay_for_no_task(folder: Path) -> None:
    hosts = {"control_plane": {"hosts": {"cp": {"cluster_csi": "local-path"}}}}
    begin = "- {name: Begin, hosts: all, gather_facts: false}\n"
    (folder / "play.yml").write_text(f"{begin}- {{ansible.builtin.import_playbook: ohmykube.cluster.ceph}}\n")
    done = play(folder, hosts, "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout.count("no hosts matched"), tasks(done.stdout)) == (1, [])
