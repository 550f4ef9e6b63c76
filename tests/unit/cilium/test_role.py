"""The role and its playbooks, in check mode, since this computer is the node."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm as program

from ohmykube import COLLECTIONS
from tests.charts import cilium_chart

README = COLLECTIONS / "ansible_collections/ohmykube/cluster/roles/cilium/README.md"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
MANIFEST = {"ansible.builtin.import_role": {"name": "ohmykube.cluster.cilium", "tasks_from": "manifest"}}


@pytest.fixture
def folder(helm: Path, tmp_path: Path) -> Path:
    """With a catalogue whose files are here."""
    own = {"url": f"file:{helm}", "sha256": hashlib.sha256(helm.read_bytes()).hexdigest(), "format": "raw"}
    components = {
        program.component(): {"versions": {"v9.9.9": {"amd64": own, "arm64": own}}},
        "cilium": {"versions": {"v1.20.0": {"any": {"url": f"file:{cilium_chart()}"}}}},
    }
    (tmp_path / "own.yml").write_text(yaml.safe_dump({"components": components}))
    return tmp_path


def play(folder: Path, *words: str, **variables: object) -> subprocess.CompletedProcess[str]:
    groups = {"control_plane": {"hosts": {"cp": {}}}, "workers": {"hosts": {"w": {}}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": {**LOCAL, **variables}, "children": groups}}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(folder / "none"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "OHMYKUBE_CATALOGUE": str(folder / "own.yml"),
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", *words, "play.yml"]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def rendered(folder: Path, **variables: object) -> dict[str, object]:
    """What the role would apply, and the images that nodes are given before."""
    made = {"made": "{{ {'text': __cilium_manifest, 'images': __cilium_images} | to_json }}"}
    show = {"ansible.builtin.copy": {"content": "{{ made }}", "dest": f"{folder}/made.json", "mode": "0600"}}
    tasks = [MANIFEST, {**show, "vars": made}]
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "cp", "gather_facts": False, "tasks": tasks}]))
    done = play(folder, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = yaml.safe_load((folder / "made.json").read_text())
    return found


def test_the_example_of_the_readme(folder: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    (folder / "play.yml").write_text(example.replace("become: true", "become: false"))
    done = play(folder, "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+cilium v1.20.0 (any)" in done.stdout
    assert re.search(r"\+helm(_darwin)? v9\.9\.9", done.stdout)
    rendered(folder)  # now they are in the cache
    done = play(folder, "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_role_knows_what_the_cluster_is(folder: Path) -> None:
    told = {
        "kubeadm_proxy_mode": "none",
        "kubeadm_endpoint": "dev.internal:6443",
        "kubeadm_pod_cidr": "10.9.0.0/16,fd00:9::/56",
        "kubeadm_version": "v1.35.8",
        "cilium_hubble": True,
        "cilium_values": {"debug": {"enabled": True}},
    }
    made = rendered(folder, **told)
    items = {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(str(made["text"]))}
    config = items["ConfigMap", "cilium-config"]["data"]
    assert (config["kube-proxy-replacement"], config["debug"], config["enable-ipv6"]) == ("true", "true", "true")
    assert config["ipv4-native-routing-cidr"] == "10.9.0.0/16"
    assert any("hubble-relay" in image for image in made["images"])  # type: ignore[attr-defined]


def test_values_that_the_cluster_cannot_have_are_an_error_by_name(folder: Path) -> None:
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "cp", "gather_facts": False, "tasks": [MANIFEST]}]))
    done = play(folder, cilium_values={"ipam": {"mode": "cluster-pool"}})
    assert done.returncode
    assert "cilium_values: ipam.mode cannot be 'cluster-pool': in this cluster it is 'kubernetes'" in done.stdout


def test_who_knows_what_it_runs_pays_for_no_task(folder: Path) -> None:
    role = {"ansible.builtin.import_role": {"name": "ohmykube.cluster.cilium", "tasks_from": "variables"}}
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [role]}]))
    done = play(folder)
    assert (done.returncode, done.stdout.count("TASK [")) == (0, 0), done.stdout + done.stderr


def test_nodes_are_given_its_images_before_and_lose_its_configuration_at_boot(folder: Path) -> None:
    rendered(folder)
    nodes = yaml.safe_load((README.parents[2] / "playbooks/nodes.yml").read_text())
    (install,) = [each for each in nodes if each["name"] == "Install what a node runs"]
    (push,) = [task for task in install["tasks"] if task["name"] == "Push the images"]
    known = {
        "__kubeadm_info": {"images": ["kube:1"]},
        "cache_distribute_catalogues": [],
        "kubeadm_endpoint_address": "",
    }
    role = {"ansible.builtin.import_role": {"name": "ohmykube.cluster.cilium", "tasks_from": "variables"}}
    told = "{{ {'images': images_references, 'boot': kubeadm_boot_removes} | to_json }}"
    show = {
        "ansible.builtin.copy": {"content": told, "dest": f"{folder}/told.json", "mode": "0600"},
        "vars": push["vars"],
    }
    own = {"hosts": "w", "gather_facts": False, "vars": {**install["vars"], **known}, "tasks": [role, show]}
    (folder / "play.yml").write_text(yaml.safe_dump([own]))
    for network, image in (("cilium", "quay.io/cilium/operator-generic"), ("flannel", "ghcr.io/flannel-io/flannel")):
        done = play(folder, cluster_cni=network, cluster_csi="none", cluster_load_balancer="none")
        assert done.returncode == 0, done.stdout + done.stderr
        said = yaml.safe_load((folder / "told.json").read_text())
        assert image in {name.partition(":")[0] for name in said["images"]}
        assert all(network in name for name in [*said["images"][1:], *said["boot"]])
