"""Asking a node over a real sshd."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote.start import KEPT

from ohmykube import nodes, ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import SshTarget
from tests.unit.sshd import Sshd


@pytest.fixture
def target(sshd: Sshd, tmp_path: Path) -> Iterator[SshTarget]:
    ssh.pin_host_key(tmp_path / "known_hosts", f"[127.0.0.1]:{sshd.port}", sshd.host_key)
    yield SshTarget("127.0.0.1", sshd.user, sshd.key, tmp_path / "known_hosts", sshd.port, f"[127.0.0.1]:{sshd.port}")
    shutil.rmtree(KEPT, ignore_errors=True)  # this computer was the node


def test_a_module_answers_with_what_it_returns(target: SshTarget) -> None:
    seen = nodes.ask(target, "cluster_smoke", check_mode=True, timeout=30)
    assert seen == {"changed": False, "checks": [], "table": [], "load_balancer": ""}


def test_the_modules_own_error_comes_back(target: SshTarget) -> None:
    with pytest.raises(OhmykubeError) as caught:
        nodes.ask(target, "cluster_smoke", {"state": "absent"}, timeout=30)
    assert caught.value.code == "kubectl.failed"
