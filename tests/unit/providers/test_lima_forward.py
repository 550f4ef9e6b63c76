"""The address that control planes share, in a network of Lima: which one it is, and how this computer gets there."""

import http.server
import json
import shutil
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.lima.network import Network
from tests.unit.providers.lima_lab import Lab, plane

SHARED = "192.168.107.254"


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The network's, as far as it forwards. refuses: it does so no more, and says why."""

    daemon_threads = True
    forwards: list[dict[str, str]] | None = None  # it says null where it has none
    refuses = ""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.exposed: list[dict[str, str]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        assert self.path == "/services/forwarder/all"
        self.answer(200, json.dumps(self.server.forwards))

    def do_POST(self) -> None:
        assert self.path == "/services/forwarder/expose"
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.exposed.append(wish)
        if self.server.refuses:
            self.answer(500, self.server.refuses)
        else:
            self.server.forwards = [*(self.server.forwards or []), wish]
            self.answer(200, "")

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def network() -> Iterator[Network]:
    root = Path(tempfile.mkdtemp(prefix="omk-", dir="/tmp"))  # short: socket paths are limited
    limactl: Any = SimpleNamespace(home=root)
    made = Network(limactl, "dev")
    made.directory.mkdir(parents=True)
    yield made
    shutil.rmtree(root)


@pytest.fixture
def daemon(network: Network) -> Iterator[Daemon]:
    server = Daemon(network.directory / f"{network.name}_ep.sock")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_forward_is_made_once_and_used_from_then_on(network: Network, daemon: Daemon) -> None:
    port = network.forward(SHARED, 6443, ())
    assert daemon.exposed == [{"local": f"127.0.0.1:{port}", "remote": f"{SHARED}:6443", "protocol": "tcp"}]
    assert network.forward(SHARED, 6443, {port}) == port  # it is its own
    assert len(daemon.exposed) == 1
    assert network.forward(SHARED, 6444, {port}) != port
    assert len(daemon.exposed) == 2


def test_one_that_leads_elsewhere_is_not_it(network: Network, daemon: Daemon) -> None:
    daemon.forwards = [
        {"local": "127.0.0.1:1", "remote": "192.168.107.25:6443", "protocol": "tcp"},
        {"local": "127.0.0.1:2", "remote": f"{SHARED}:64430", "protocol": "tcp"},
        {"local": "[::1]:20123", "remote": f"{SHARED}:6443", "protocol": "tcp"},
    ]
    assert network.forward(SHARED, 6443, ()) == 20123
    assert daemon.exposed == []


def test_a_port_that_a_machine_has_or_that_is_taken_is_left_alone(network: Network, daemon: Daemon) -> None:
    usual = network.forward(SHARED, 6443, ())
    daemon.forwards = None  # it was started anew
    other = network.forward(SHARED, 6443, {usual})
    assert other != usual
    daemon.forwards = None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", usual))
        taken.listen()
        assert network.forward(SHARED, 6443, ()) != usual


def test_a_daemon_that_refuses_is_an_error_that_says_where_to_and_why(network: Network, daemon: Daemon) -> None:
    daemon.refuses = "proxy already running\n"
    with pytest.raises(
        OhmykubeError, match=rf"does not lead 127\.0\.0\.1:\d+ to {SHARED}:6443: proxy already running$"
    ) as caught:
        network.forward(SHARED, 6443, ())
    assert caught.value.code == "lima.forward"
    assert "ohmykube start" in caught.value.hint


def test_a_network_that_does_not_run_leads_nowhere(network: Network) -> None:
    with pytest.raises(OhmykubeError, match=f"to {SHARED}:6443$") as caught:
        network.forward(SHARED, 6443, ())
    assert caught.value.code == "lima.forward"


def test_the_shared_address_is_the_networks_last_and_no_load_balancers(lab: Lab) -> None:
    provider = lab.ready("dev")
    subnet, _, last = provider.api_address().rpartition(".")
    assert last == "254"
    assert provider.address_pool() == f"{subnet}.200-{subnet}.250"
    assert lab.ready("other").api_address() != provider.api_address()


def test_before_there_is_a_network_there_is_no_address_and_no_need_of_limactl(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert lab.provider("dev", fetch=None).api_address() == ""


def test_this_computer_gets_there_by_a_port_that_no_machine_has(lab: Lab) -> None:
    provider = lab.ready("dev")
    provider.create(plane("dev-control-plane-1"))
    provider.start("dev-control-plane-1")
    reached = provider.reach(provider.api_address(), 6443)
    assert reached == provider.reach(provider.api_address(), 6443)
    host, _, port = reached.partition(":")
    (machine,) = provider.machines()
    assert host == "127.0.0.1"
    assert machine.api not in ("", reached)
    provider.stop("dev-control-plane-1")
    provider.start("dev-control-plane-1")
    assert provider.reach(provider.api_address(), 6443) == f"127.0.0.1:{port}"  # made anew, and mostly the same
