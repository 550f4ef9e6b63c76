"""Virtual services go with the link that says that they are kube-proxy's."""

from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import ipvs, network

from tests.unit.node.machine import Machine

EMPTY = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port\n"
SERVICE = "TCP  0A600001:01BB rr \n  -> 0A4D000B:192B      Masq    1      0          0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "root")


@pytest.mark.parametrize(
    ("link", "listed", "flushed"),
    [(True, EMPTY + SERVICE, True), (True, EMPTY, False), (True, None, False), (False, EMPTY + SERVICE, False)],
)
def test_only_what_is_kube_proxys_goes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, link: bool, listed: str | None, flushed: bool
) -> None:
    done: list[str] = []
    monkeypatch.setattr(ipvs, "_flush", lambda: done.append("flush"))
    if link:
        machine.write("/sys/class/net/kube-ipvs0/address", "")
    if listed:
        machine.write("/proc/net/ip_vs", listed)
    network.remove_links(machine.host)
    assert bool(done) == flushed


def test_a_module_that_has_gone_meanwhile_is_as_good(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write("/proc/net/ip_vs", EMPTY + SERVICE)

    def gone(name: str) -> int:
        raise FileNotFoundError(name)

    monkeypatch.setattr(ipvs, "_family", gone)
    ipvs.clear(machine.host)


def test_the_kernel_is_asked_for_its_number_of_a_family() -> None:
    assert ipvs._family("nlctrl") == 0x10
    with pytest.raises(FileNotFoundError):
        ipvs._family("nobody")
