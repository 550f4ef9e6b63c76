"""kubeconfig: the cluster's own, and a context in the user's."""

import pytest
import yaml

from ohmykube import kubeconfig
from ohmykube.errors import OhmykubeError

ADMIN = yaml.safe_dump(
    {
        "clusters": [
            {
                "name": "kubernetes",
                "cluster": {"server": "https://dev.internal:6443", "certificate-authority-data": "Q0E="},
            }
        ],
        "users": [{"name": "kubernetes-admin", "user": {"client-key-data": "S0VZ"}}],
        "contexts": [{"name": "kubernetes-admin@kubernetes", "context": {}}],
    }
)
FOREIGN = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://w"}}],
    "users": [{"name": "work", "user": {}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "work"}}],
    "current-context": "work",
    "preferences": {"colors": True},
}


def test_everything_is_named_after_the_cluster():
    made = yaml.safe_load(kubeconfig.localise(ADMIN, "dev", "10.0.0.1:6443"))
    assert made["current-context"] == "dev"
    assert made["clusters"] == [
        {"name": "dev", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": "Q0E="}}
    ]
    assert made["users"][0]["user"] == {"client-key-data": "S0VZ"}


def test_merged_kept_apart_and_removed_again(tmp_path):
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(FOREIGN))
    for name in ("dev", "dev-2"):
        assert kubeconfig.add_context(path, kubeconfig.localise(ADMIN, name, "1.2.3.4:6443"))
    merged = yaml.safe_load(path.read_text())
    assert [item["name"] for item in merged["contexts"]] == ["work", "dev", "dev-2"]
    assert merged["preferences"] == {"colors": True}
    assert path.stat().st_mode & 0o777 == 0o600
    assert kubeconfig.remove_context(path, "dev")
    assert [item["name"] for item in yaml.safe_load(path.read_text())["contexts"]] == ["work", "dev-2"]
    assert yaml.safe_load(path.read_text())["current-context"] == "dev-2"
    assert kubeconfig.remove_context(path, "dev-2")
    assert not kubeconfig.remove_context(path, "dev-2")
    left = yaml.safe_load(path.read_text())
    assert {**left, "current-context": "work"} == FOREIGN


def test_merging_twice_changes_nothing(tmp_path):
    path = tmp_path / ".kube" / "config"
    text = kubeconfig.localise(ADMIN, "dev", "1.2.3.4:6443")
    assert kubeconfig.add_context(path, text)
    before = path.stat().st_mtime_ns
    assert not kubeconfig.add_context(path, text)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("text", ["{", "[1]", "kind: Pod", "3", "kind: Config\nclusters: [3]"])
def test_a_file_that_is_no_kubeconfig_is_left_alone(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(OhmykubeError, match="cannot be merged into"):
        kubeconfig.add_context(path, kubeconfig.localise(ADMIN, "dev", "1.2.3.4:6443"))
    assert path.read_text() == text


def test_removing_from_no_file_is_fine(tmp_path):
    assert not kubeconfig.remove_context(tmp_path / "none", "dev")
