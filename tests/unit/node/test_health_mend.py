"""Remedies on a node: each asks first whether it is needed."""

import base64
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import mend as mend_module
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host
from ansible_collections.ohmykube.cluster.plugins.modules import kubelet_identity, node_mend

from tests.unit.node.machine import Machine, Unit
from tests.unit.node.test_health_looks import certificate


def mend(host: Host, *, check_mode: bool = False, **options: object) -> dict[str, object]:
    defaults = {"services": [], "clock_ahead": 0.0, "renew_days": 0}
    return node_mend.run({**defaults, **options}, host, check_mode=check_mode)


def test_services_that_are_down_are_restarted_in_order(machine: Machine) -> None:
    machine.units |= {"containerd.service": Unit("enabled", "failed"), "kubelet.service": Unit("enabled", "inactive")}
    names = ["containerd", "kubelet"]
    assert mend(machine.host, services=names, check_mode=True)["changed"]
    assert machine.calls == []
    changed = mend(machine.host, services=names)
    assert changed["changes"] == ["containerd.service restarted", "kubelet.service restarted"]
    assert machine.calls == [
        f"systemctl {verb} {name}.service" for name in names for verb in ("reset-failed", "restart")
    ]
    assert not mend(machine.host, services=names)["changed"]


def test_a_clock_is_set_back_by_what_it_is_ahead(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(time, "clock_settime", lambda clock, seconds: told.append((clock, time.time() - seconds)))
    assert mend(machine.host, clock_ahead=-90.0, check_mode=True)["changed"]
    assert not told
    mend(machine.host, clock_ahead=-90.0)
    (clock, back), *_ = told
    assert (clock, round(back)) == (time.CLOCK_REALTIME, -90)


def test_a_clock_that_is_shared_is_left_alone(machine: Machine) -> None:
    machine.write("/run/systemd/container", "systemd-nspawn")
    with pytest.raises(OhmykubeError) as caught:
        mend(machine.host, clock_ahead=90.0)
    assert caught.value.code == "clock.shared"
    assert not mend(machine.host)["changed"]


def test_certificates_are_renewed_where_one_ends_soon(machine: Machine) -> None:
    """And the control plane that has read them is restarted."""
    path, calls = "/etc/kubernetes/pki/apiserver.crt", []

    def run(argv: list[str], timeout: float) -> Completed:
        words = " ".join(argv[2:] if argv[0] == "env" else argv)
        calls.append(words)
        if words.startswith("kubeadm certs renew"):
            machine.write(path, certificate(datetime.now(UTC) + timedelta(days=365)))
        return Completed(0, "id-of-it\n" if "crictl ps" in words else "")

    host = Host(machine.root, run, "6.1")
    machine.write(path, certificate(datetime.now(UTC) + timedelta(days=10)))
    assert not mend(host, renew_days=5)["changed"]
    assert mend(host, renew_days=30, check_mode=True)["changed"]
    assert calls == []
    assert mend(host, renew_days=30)["changes"] == ["certificates renewed"]
    assert "--raw=/readyz" in calls[0]
    assert calls[1] == "kubeadm certs renew all", "with the cluster's own settings"
    assert "crictl stop id-of-it id-of-it id-of-it id-of-it" in calls
    assert "--raw=/readyz" in calls[-1]
    assert not mend(host, renew_days=30)["changed"]


def test_certificates_are_renewed_without_an_api_server_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """kubeadm is told all that it would ask for, and asks nobody."""
    monkeypatch.setattr(mend_module, "_READY_TIMEOUT", 0)
    configs = []

    def run(argv: list[str], timeout: float) -> Completed:
        if "kubectl" in argv:
            return Completed(1, "", "connection refused")
        configs.extend(Path(word.removeprefix("--config=")).read_text() for word in argv if "--config=" in word)
        return Completed(0, "v1.36.2\n" if "version" in argv else "")

    machine.write("/etc/kubernetes/pki/apiserver.crt", certificate(datetime.now(UTC) - timedelta(days=1)))
    with pytest.raises(OhmykubeError) as caught:
        mend(Host(machine.root, run, "6.1"), renew_days=30)
    assert caught.value.code == "certificates.restart"
    assert len(configs) == 1
    assert "kubernetesVersion: v1.36.2\n" in configs[0]


def identity(host: Host, text: str = "", *, check_mode: bool = False) -> dict[str, object]:
    return kubelet_identity.run({"node": "w1", "identity": text}, host, check_mode=check_mode)


def test_a_kubelets_identity_is_signed_and_given(machine: Machine) -> None:
    def run(argv: list[str], timeout: float) -> Completed:
        if "kubeconfig" not in argv:
            return Completed(0, "v1.36.2\n")
        assert {"--client-name=system:node:w1", "--org=system:nodes"} <= set(argv)
        data = {kind: base64.b64encode(f"the {kind}\n".encode()).decode() for kind in ("certificate", "key")}
        return Completed(0, "".join(f"    client-{kind}-data: {text}\n" for kind, text in data.items()))

    host = Host(machine.root, run, "6.1")
    with pytest.raises(OhmykubeError) as caught:
        identity(host)
    assert caught.value.code == "certificate.no-authority"
    machine.write("/etc/kubernetes/pki/ca.key", "")
    assert identity(host, check_mode=True)["identity"] == ""
    assert identity(host)["identity"] == "the certificate\nthe key\n"


def test_an_identity_that_is_good_for_longer_takes_the_place_of_the_old_one(machine: Machine) -> None:
    machine.units["kubelet.service"] = Unit("enabled", "failed")
    path = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    machine.write(path, certificate(datetime.now(UTC) - timedelta(days=1)))
    new = certificate(datetime.now(UTC) + timedelta(days=365))
    assert identity(machine.host, new, check_mode=True)["changed"]
    assert machine.calls == []
    assert identity(machine.host, new)["changed"]
    assert machine.read(path) == new
    assert machine.calls[-1] == "systemctl restart kubelet.service"
    link = machine.root / path.lstrip("/")
    assert link.is_symlink()
    assert link.resolve().stat().st_mode & 0o777 == 0o600
    assert not identity(machine.host, new)["changed"]
