"""From cluster.yaml and state.json to role variables."""

import os
import shlex

import pytest
from ansible_collections.ohmykube.cluster.plugins.inventory.ohmykube import InventoryModule
from ansible_collections.ohmykube.cluster.plugins.module_utils import cluster_inventory, requirements
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from ohmykube.model import load
from ohmykube.model.document import parse
from ohmykube.model.machines import Machine, SshTarget, wanted
from ohmykube.store.state import MachineRecord, State

TEXT = """
spec:
  provider: nspawn
  kubernetesVersion: v1.36.4
  workers:
    - {name: worker, count: 1}
    - name: big-ones
      count: 1
      labels: {size: big}
      taints: ["a=b:NoSchedule"]
      hooks:
        preSystem: [{name: two, script: "false", timeout: 5}]
        postKubernetes: [{name: three, file: /three, sum: abc}]
      files: [{path: /etc/empty, content: "", mode: "0600", owner: 1000}, {path: /srv/data, directory: true}]
      vars: {node_swap: true}
  hooks: {preSystem: [{name: one, script: "true"}]}
  vars: {containerd_version: 2.2.7, flannel_backend: host-gw}
"""


@pytest.fixture
def cluster():
    return load.build("dev", document=parse(TEXT, "f"), defaults={}, supported_versions=("v1.36.4",))


def state(cluster, tmp_path, *, lost=()):
    records = []
    for number, spec in enumerate(wanted(cluster), start=1):
        ssh = SshTarget(f"10.1.0.{number}", "root", tmp_path / "id", tmp_path / "known", 22, spec.name)
        seen = None if spec.name in lost else Machine(spec.name, "running", f"10.1.0.{number}", ssh=ssh)
        records.append(MachineRecord(spec.name, spec.role, spec.group, seen, {"containerd_systemd_cgroup": False}))
    return State("dev", "nspawn", tuple(records), "10.1.0.200-10.1.0.250", ("/over.yml",)).as_data()


def test_groups_hosts_and_variables(cluster, tmp_path):
    made = cluster_inventory.build(cluster.as_data(), state(cluster, tmp_path))
    assert made.groups == {
        "control_plane": ["dev-control-plane-1"],
        "workers": ["dev-worker-1", "dev-big-ones-1"],
        "group_control_plane": ["dev-control-plane-1"],
        "group_worker": ["dev-worker-1"],
        "group_big_ones": ["dev-big-ones-1"],
    }
    everywhere = made.variables
    assert everywhere["kubeadm_endpoint"] == "dev.ohmykube.internal:6443"
    assert made.hosts["dev-worker-1"]["node_hosts"] == [
        {"name": "dev-worker-1", "address": "10.1.0.2"},
        {"name": "dev.ohmykube.internal", "address": "10.1.0.1"},
    ]
    assert everywhere["metallb_address_pool"] == "10.1.0.200-10.1.0.250"
    assert everywhere["flannel_backend"] == "host-gw"
    assert everywhere["containerd_version"] == "2.2.7"
    big = made.hosts["dev-big-ones-1"]
    assert big["kubeadm_node_labels"] == {"size": "big"}
    assert big["kubeadm_node_taints"] == ["a=b:NoSchedule"]
    assert big["node_swap"] is True
    assert big["containerd_systemd_cgroup"] is False
    assert big["ansible_become"] is False
    options = shlex.split(big["ansible_ssh_common_args"])
    assert "-oHostKeyAlias=dev-big-ones-1" in options
    assert f'-oUserKnownHostsFile="{tmp_path / "known"}"' in options


def test_a_pool_has_the_families_of_the_cluster(cluster, tmp_path):
    data, seen = cluster.as_data(), state(cluster, tmp_path)
    seen["addressPool"] = "10.1.0.200-10.1.0.250,fd00::c8-fd00::fa"
    assert cluster_inventory.build(data, seen).variables["metallb_address_pool"] == "10.1.0.200-10.1.0.250"
    data["spec"]["network"]["podCIDR"] += ",fd01::/56"
    assert cluster_inventory.build(data, seen).variables["metallb_address_pool"] == seen["addressPool"]


def test_a_proxy_is_not_for_the_cluster_itself(cluster, tmp_path):
    data, seen = cluster.as_data(), state(cluster, tmp_path)
    assert "containerd_proxy" not in cluster_inventory.build(data, seen).hosts["dev-worker-1"]
    data["spec"]["proxy"] = {"httpProxy": "", "httpsProxy": "http://p:3128", "noProxy": ["corp.example", "::1"]}
    made = cluster_inventory.build(data, seen).hosts
    proxy = made["dev-worker-1"]["containerd_proxy"]
    assert proxy["https_proxy"] == "http://p:3128"
    assert "http_proxy" not in proxy
    direct = proxy["no_proxy"].split(",")
    api, own = made["dev-control-plane-1"]["kubeadm_node_address"], made["dev-worker-1"]["kubeadm_node_address"]
    assert {"localhost", ".svc", own, api, "10.244.0.0/16", "10.96.0.0/12", "dev.ohmykube.internal"} < set(direct)
    assert direct[-1] == "corp.example"
    assert direct.count("::1") == 1
    del data["spec"]["proxy"]  # as an older version wrote it
    assert "containerd_proxy" not in cluster_inventory.build(data, seen).hosts["dev-worker-1"]


def test_the_users_documents_and_what_ipvs_needs(cluster, tmp_path):
    data = cluster.as_data()
    assert cluster_inventory.build(data, state(cluster, tmp_path)).variables["node_kernel_modules"] == []
    proxy = {"kind": "KubeProxyConfiguration", "mode": "ipvs"}
    data["spec"]["kubeadm"]["read"] = {"documents": [proxy], "patches": {"etcd.yaml": "a: b"}}
    variables = cluster_inventory.build(data, state(cluster, tmp_path)).variables
    assert variables["kubeadm_config"] == [proxy]
    assert variables["kubeadm_patches"] == {"etcd.yaml": "a: b"}
    assert variables["node_kernel_modules"] == [*("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "ip_set", "xt_set")]
    del data["spec"]["kubeadm"]["read"]  # as an older version wrote it
    assert cluster_inventory.build(data, state(cluster, tmp_path)).variables["kubeadm_config"] == []


def test_hooks_and_files_of_a_group_come_after_those_for_all(cluster, tmp_path):
    made = cluster_inventory.build(cluster.as_data(), state(cluster, tmp_path))
    one = {"name": "one", "script": "true", "timeout": 600}
    assert made.hosts["dev-worker-1"]["customize_hooks"] == {"preSystem": [one]}
    assert "customize_files" not in made.hosts["dev-worker-1"]
    big = made.hosts["dev-big-ones-1"]
    assert big["customize_hooks"] == {
        "preSystem": [one, {"name": "two", "script": "false", "timeout": 5}],
        "postKubernetes": [{"name": "three", "file": "/three", "timeout": 600}],
    }
    assert big["customize_files"] == [
        {"path": "/etc/empty", "content": "", "mode": "0600", "owner": "1000"},
        {"path": "/srv/data", "directory": True},
    ]


def test_a_cluster_of_an_older_version_has_neither(cluster, tmp_path):
    data = cluster.as_data()
    for part in (data["spec"], data["spec"]["controlPlane"], *data["spec"]["workers"]):
        del part["hooks"], part["files"]
    made = cluster_inventory.build(data, state(cluster, tmp_path))
    assert not any(name.startswith("customize") for host in made.hosts.values() for name in host)


def test_a_machine_without_an_address_is_named(cluster, tmp_path):
    with pytest.raises(OhmykubeError, match="no address is known for dev-worker-1"):
        cluster_inventory.build(cluster.as_data(), state(cluster, tmp_path, lost=("dev-worker-1",)))


def test_a_reset_needs_no_control_plane(cluster, tmp_path):
    """Of an `up` that died early perhaps a worker alone was taken."""
    seen = state(cluster, tmp_path)
    made = cluster_inventory.build(cluster.as_data(), {**seen, "machines": seen["machines"][1:]})
    assert made.groups["control_plane"] == []
    assert sorted(made.hosts) == ["dev-big-ones-1", "dev-worker-1"]


def several(tmp_path, *, count=3, wished="auto", given="10.1.0.254"):
    text = f"spec: {{controlPlane: {{count: {count}}}, workers: [{{name: worker}}], network: {{apiAddress: {wished}}}}}"
    defaults = {("spec", "provider"): "nspawn", ("spec", "kubernetesVersion"): "v1.36.4"}
    wish = load.build("dev", document=parse(text, "f"), defaults=defaults, supported_versions=("v1.36.4",))
    return wish.as_data(), {**state(wish, tmp_path), "apiAddress": given}


@pytest.mark.parametrize(("wished", "shared"), [("auto", "10.1.0.254"), ("10.1.0.9", "10.1.0.9")])
def test_several_control_planes_are_found_at_the_address_that_they_share(tmp_path, wished, shared):
    wish, seen = several(tmp_path, wished=wished)
    made = cluster_inventory.build(wish, seen)
    assert made.groups["control_plane"] == [f"dev-control-plane-{number}" for number in (1, 2, 3)]
    assert cluster_inventory.api_address(wish, seen) == shared
    for host in made.hosts.values():
        assert host["node_hosts"][1] == {"name": "dev.ohmykube.internal", "address": shared}
    assert made.variables["kubeadm_endpoint_address"] == shared
    assert made.variables["kubeadm_sans"] == [shared]
    assert made.variables["kubeadm_endpoint"] == "dev.ohmykube.internal:6443"


def test_one_control_plane_is_found_at_its_own_and_can_become_one_of_several(tmp_path):
    wish, seen = several(tmp_path, count=1)
    made = cluster_inventory.build(wish, seen)
    assert cluster_inventory.api_address(wish, seen) == "10.1.0.1"
    assert made.hosts["dev-worker-1"]["node_hosts"][1]["address"] == "10.1.0.1"
    assert made.variables["kubeadm_endpoint_address"] == ""
    assert made.variables["kubeadm_sans"] == ["10.1.0.254"]


def test_what_older_versions_have_written_has_no_address_to_share(tmp_path):
    wish, seen = several(tmp_path, count=1)
    del wish["spec"]["network"]["apiAddress"], seen["apiAddress"]
    made = cluster_inventory.build(wish, seen)
    assert (made.variables["kubeadm_endpoint_address"], made.variables["kubeadm_sans"]) == ("", [])


def test_the_shared_address_needs_its_image_and_one_control_plane_none(tmp_path):
    for count, wanted_images in ((1, []), (3, [{"component": "kube_vip", "version": ""}])):
        spec = several(tmp_path, count=count)[0]["spec"]
        assert requirements.control_planes(spec) == count
        assert requirements.images(spec) == wanted_images
    hosts = [{"role": role} for role in ("control-plane", "worker", "control-plane")]
    network = {"cni": "flannel"}
    static = {
        "provider": "static",
        "network": network,
        "hosts": hosts,
        "controlPlane": {"count": 1},
    }  # that count is nobody's
    assert requirements.control_planes(static) == 2
    assert requirements.images(static)
    assert not requirements.images({**static, "hosts": hosts[:2]})


def test_what_is_not_wanted_is_not_required(cluster):
    spec = cluster.as_data()["spec"]
    assert [item["component"] for item in requirements.manifests(spec)] == ["flannel", "local_path", "metallb"]
    spec["network"]["cni"] = "cilium"
    assert [item["component"] for item in requirements.manifests(spec)] == ["cilium", "local_path", "metallb"]
    spec["network"] |= {"cni": "none", "loadBalancer": "none"}
    spec["storage"]["csi"] = "none"
    assert requirements.manifests(spec) == []


def test_wireguard_is_the_kernels(cluster, tmp_path):
    wish, seen = cluster.as_data(), state(cluster, tmp_path)
    wish["spec"]["network"] |= {"cni": "cilium", "proxyMode": "none"}
    wish["spec"]["vars"] = {"cilium_encryption": "wireguard"}
    made = cluster_inventory.build(wish, seen).variables
    assert made["node_kernel_modules"] == ["wireguard"]
    assert (made["cluster_cni"], made["kubeadm_proxy_mode"]) == ("cilium", "none")
    assert made["cilium_catalogues"] == ["/over.yml"]


def test_flannel_enforces_policies_with_queues_of_the_kernels(cluster, tmp_path):
    wish, seen = cluster.as_data(), state(cluster, tmp_path)
    assert requirements.images(wish["spec"]) == []
    for text in (True, "yes"):
        wish["spec"]["vars"] = {"flannel_network_policy": text}
        assert requirements.images(wish["spec"]) == [{"component": "kube_network_policies", "version": ""}]
        made = cluster_inventory.build(wish, seen).variables
        assert made["node_kernel_modules"] == ["nft_queue", "nfnetlink_queue"]
    wish["spec"]["network"]["cni"] = "cilium"
    assert requirements.images(wish["spec"]) == []


def test_a_network_and_storage_of_ones_own_come_first(cluster, tmp_path):
    wish, seen = cluster.as_data(), state(cluster, tmp_path)
    wish["spec"]["addons"] = [{"name": name, "path": "", "files": {"a.yml": ""}} for name in ("mine", "net", "disks")]
    assert "addon_first" not in cluster_inventory.build(wish, seen).variables
    wish["spec"]["network"]["cni"], wish["spec"]["storage"]["csi"] = "net", "disks"
    made = cluster_inventory.build(wish, seen).variables
    assert (made["addon_first"], made["cluster_cni"], made["verify_nodes_ready"]) == (["net", "disks"], "net", True)
    assert [item["component"] for item in requirements.manifests(wish["spec"])] == ["metallb"]


def test_add_ons_are_told_where_there_are_any_or_were(cluster, tmp_path):
    wish, seen = cluster.as_data(), state(cluster, tmp_path)
    assert "addon_wanted" not in cluster_inventory.build(wish, seen).variables
    wish["spec"]["addons"] = [{"name": "mine", "path": "/mine", "files": {"addon.yml": ""}}]
    made = cluster_inventory.build(wish, {**seen, "addons": ["mine", "old"]}).variables
    assert (made["addon_wanted"], made["addon_absent"]) == (wish["spec"]["addons"], ["old"])
    assert made["addon_catalogues"] == ["/over.yml"]
    del wish["spec"]["addons"]  # as an older version wrote it, or since the last one has gone
    made = cluster_inventory.build(wish, {**seen, "addons": ["old"]}).variables
    assert (made["addon_wanted"], made["addon_absent"]) == ([], ["old"])


@pytest.mark.parametrize("limit", [0.0, 60.0])
def test_machines_that_nobody_reaches_any_more_are_not_waited_for(limit):
    """Either all time is over, or whoever started this has ended: its parent is another process by now."""

    class Plugin(InventoryModule):
        wait_limit = limit

        def get_option(self, name):
            return {"wait_for": "/nowhere", "started_by": os.getpid() if limit else os.getppid()}[name]

    with pytest.raises(OhmykubeError, match="there is no /nowhere"):
        Plugin()._wait()
