"""kubeadm itself as the judge of what it is given, where the test bundle has one."""

import subprocess

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import places
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import layers
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import text
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.fields import FIELDS
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.user import of_file

from tests.conftest import BUNDLE
from tests.unit.kubeadm.test_kubeadm_layers import CLUSTER, INIT, JOIN, JOINING, KUBELET, NODE, WORKER
from tests.unit.kubeadm.test_kubeadm_user import OLD

KUBEADM = BUNDLE / "bin/kubeadm"
pytestmark = pytest.mark.skipif(not KUBEADM.exists(), reason=f"no kubeadm in {BUNDLE}")


def judged(tmp_path, verb, words):
    file = tmp_path / "kubeadm.yaml"
    file.write_text(words)
    flag = "--old-config" if verb == "migrate" else "--config"
    return subprocess.run(
        [KUBEADM, "config", verb, flag, file], capture_output=True, text=True, timeout=60, check=False
    )


def kubeadm(tmp_path, verb, words):
    done = judged(tmp_path, verb, words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "own", ["", OLD, f"{KUBELET}maxPods: 50\n---\n{CLUSTER}scheduler: {{extraArgs: [{{name: v}}]}}\n"]
)
@pytest.mark.parametrize("swap", [False, True])
def test_what_a_node_is_given_is_strictly_valid(tmp_path, own, swap):
    user = of_file(places.read(own, "own.yaml"))
    node = NODE.__class__(**{**vars(NODE), "swap": swap})
    assert kubeadm(tmp_path, "validate", text(layers.init(node, user))) == "ok\n"
    for joins in (WORKER, NODE):
        assert kubeadm(tmp_path, "validate", text(layers.join(joins, user, JOINING))) == "ok\n"


def test_v1beta3_is_migrated_as_kubeadm_does(tmp_path):
    """Which also fills in defaults, and what every file must have."""
    must = "token: abcdef.0123456789abcdef, apiServerEndpoint: 'a:1', unsafeSkipCAVerification: true"
    given = OLD.replace("discovery: {", f"discovery: {{bootstrapToken: {{{must}}}, ")
    made = of_file(places.read(given, "own.yaml")).documents
    theirs = {each["kind"]: each for each in yaml.safe_load_all(kubeadm(tmp_path, "migrate", given)) if each}
    for kind in ("InitConfiguration", "ClusterConfiguration", "JoinConfiguration"):
        assert _within(made[kind], theirs[kind]) == [], kind


@pytest.mark.parametrize("kind", ["InitConfiguration", "ClusterConfiguration", "JoinConfiguration"])
def test_every_field_that_we_know_is_known_to_kubeadm(tmp_path, kind):
    """When it is strict it refuses others, before it judges values, of which these are nonsense."""
    head = yaml.safe_load({"InitConfiguration": INIT, "ClusterConfiguration": CLUSTER, "JoinConfiguration": JOIN}[kind])
    document = {**head, **_example(FIELDS[kind])}
    assert "nknown field" not in judged(tmp_path, "validate", text([document])).stderr
    assert "unmarshal" not in judged(tmp_path, "validate", text([document])).stderr
    slip = {**document, "slip": 1}
    assert 'unknown field "slip"' in judged(tmp_path, "validate", text([slip])).stderr


def _example(known, key=""):
    if isinstance(known, dict):
        return {name: _example(of, name) for name, of in known.items()}
    if isinstance(known, list):
        return [_example(known[0], key)]
    if known in (bool, int):
        return known()
    texts = {"token": "abcdef.0123456789abcdef", "expires": "2026-01-01T00:00:00Z", "timeAdded": "2026-01-01T00:00:00Z"}
    return texts.get(key, "1h") if known is str else {}


def _within(part, whole, path=""):
    """Where `whole` does not say what `part` does."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return [found for key in part for found in _within(part[key], whole.get(key), f"{path}.{key}")]
    if part == [] and whole is None:
        return []
    return [] if part == whole else [(path, part, whole)]
