"""What is seen on a node: certificates' ends, DNS, the control plane's own words, room, services."""

import base64
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import (
    certificates,
    cluster,
    control_plane,
    dns,
    look,
    resources,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.node.machine import Machine, Unit

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])


def certificate(ends: datetime) -> str:
    begins = min(ends, datetime(1990, 1, 1, tzinfo=UTC)) - timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


@given(st.datetimes(min_value=datetime(1970, 1, 3), max_value=datetime(2199, 12, 31)))
def test_the_end_of_a_certificate_is_read_from_its_bytes(moment: datetime) -> None:
    """Up to 2049 the year has two digits in it."""
    ends = moment.replace(microsecond=0, tzinfo=UTC)
    assert certificates.not_after(f"a word before\n{certificate(ends)}") == ends.timestamp()


@given(st.binary(max_size=200))
def test_what_is_no_certificate_is_refused_and_nothing_else(data: bytes) -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(data).decode()}\n-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError):  # noqa: PT011 - any of its kinds
        certificates.not_after(text)


def test_a_nodes_certificates(machine: Machine) -> None:
    soon, late = datetime(2027, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    machine.write("/etc/kubernetes/pki/etcd/ca.crt", certificate(late))
    machine.write("/etc/kubernetes/pki/apiserver.crt", certificate(soon))
    machine.write("/etc/kubernetes/pki/broken.crt", "nothing")
    embedded = base64.b64encode(certificate(soon).encode()).decode()
    machine.write("/etc/kubernetes/admin.conf", f"users:\n- user:\n    client-certificate-data: {embedded}\n")
    machine.write("/etc/kubernetes/scheduler.conf", "users:\n- user:\n    client-certificate-data: AAAA\n")
    machine.write("/var/lib/kubelet/pki/kubelet-client-current.pem", certificate(soon))
    assert [(each.path, each.kind) for each in certificates.look(machine.host)] == [
        ("/etc/kubernetes/pki/apiserver.crt", "kubeadm"),
        ("/etc/kubernetes/admin.conf", "kubeadm"),
        ("/var/lib/kubelet/pki/kubelet-client-current.pem", "kubelet"),
        ("/etc/kubernetes/pki/etcd/ca.crt", "authority"),
    ]


@contextmanager
def server(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A DNS server on this computer; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as serving:
        serving.bind(("127.0.0.1", 0))

        def serve() -> None:
            query, client = serving.recvfrom(4096)
            serving.sendto(answer(query), client)

        threading.Thread(target=serve, daemon=True).start()
        yield serving.getsockname()[1]


@pytest.mark.parametrize(
    ("flags", "answers", "words"),
    [(0x8180, 1, ""), (0x8183, 0, "knows no kubernetes"), (0x8180, 0, "no address")],
)
def test_dns_is_asked(flags: int, answers: int, words: str) -> None:
    def answer(query: bytes) -> bytes:
        assert query[12:].startswith(b"\x0akubernetes\x07default\x00\x00\x01\x00\x01")
        return struct.pack(">6H", 1, flags, 1, answers, 0, 0)

    with server(answer) as port:
        said = dns.ask("127.0.0.1", "kubernetes.default", port)
    assert words in said if words else said == ""


def test_dns_that_is_silent_or_is_something_else() -> None:
    with server(lambda _: b"hello") as port:
        assert "something else" in dns.ask("127.0.0.1", "a.b", port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert "does not answer" in dns.ask("127.0.0.1", "a.b", silent.getsockname()[1], timeout=0.01)


def test_dns_of_a_node_without_a_kubelet(machine: Machine) -> None:
    assert "names no DNS server" in dns.look(machine.host)


def test_control_planes_that_are_not_there(machine: Machine) -> None:
    assert "there is no" in control_plane.api_server(machine.host)
    assert control_plane.etcd(machine.host) == ""
    with socket.socket() as unused:  # nobody listens there
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        flags = f"--advertise-address=127.0.0.1\n--secure-port={port}\n"
        machine.write("/etc/kubernetes/manifests/kube-apiserver.yaml", flags)
        machine.write("/etc/kubernetes/pki/ca.crt", certificate(datetime(2036, 1, 1, tzinfo=UTC)))
        machine.write("/etc/kubernetes/manifests/etcd.yaml", f"- --listen-metrics-urls=http://127.0.0.1:{port}\n")
        assert "does not answer" in control_plane.api_server(machine.host)
        assert "does not answer" in control_plane.etcd(machine.host)


def test_room(machine: Machine) -> None:
    machine.write("/proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 1024 kB\n")
    assert resources.memory(machine.host) == {"size": 4096 * 1024, "free": 1024 * 1024}
    machine.write("/var/lib/etcd/x", "")
    disks = resources.disks(machine.host)
    assert [disk["path"] for disk in disks] == ["/"], "one file system is told of once"
    assert 0 < disks[0]["free"] <= disks[0]["size"]


def test_services_and_pod_network(machine: Machine) -> None:
    machine.units["containerd.service"] = Unit("enabled", "failed")
    assert look.services(machine.host) == {"containerd": "failed", "kubelet": "not-found"}
    assert look.pod_network(machine.host) == []
    machine.write("/etc/cni/net.d/10-flannel.conflist", "{}")
    machine.write("/etc/cni/net.d/README", "")
    assert look.pod_network(machine.host) == ["10-flannel.conflist"]


def test_a_machine_that_has_not_joined_is_not_asked_about_a_cluster(machine: Machine) -> None:
    seen = look.look(machine.host)
    assert (seen["joined"], seen["own_clock"]) == (False, True)
    assert not {"dns", "api_server", "cluster"} & set(seen)
    machine.write("/run/systemd/container", "lxc")
    assert not look.look(machine.host)["own_clock"]


def test_nodes_as_the_api_server_tells_of_them() -> None:
    conditions = [
        {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."},
        {"type": "DiskPressure", "status": "True"},
        {"type": "MemoryPressure", "status": "False"},
    ]
    item = {
        "metadata": {"name": "w1"},
        "spec": {"unschedulable": True},
        "status": {"conditions": conditions, "addresses": [{"type": "InternalIP", "address": "10.0.0.2"}]},
    }
    assert cluster.node(item) == {
        "name": "w1",
        "ready": False,
        "words": "Kubelet stopped posting node status.",
        "address": "10.0.0.2",
        "cordoned": True,
        "pressures": ["DiskPressure"],
    }
    assert cluster.node({"metadata": {"name": "w2"}, "spec": {}, "status": {}})["words"] == "it has not reported yet"


def test_ready_endpoints_are_counted_once() -> None:
    endpoints = [
        {"addresses": ["10.244.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.244.0.2"]},
        {"addresses": ["10.244.0.3"], "conditions": {"ready": False}},
    ]
    assert cluster.ready_endpoints([{"endpoints": endpoints}, {"endpoints": None}]) == 1
