"""Nothing is told to anybody: the verbs open no connection but to the servers that they are sent to."""

import socket
import sys

import pytest

from tests.unit.cli.test_contract import CALLS, place, words  # noqa: F401 - a fixture
from tests.unit.cli.test_planes import make_world  # noqa: F401 - a fixture

_listening: list[set[str]] = []


def _hear(event, arguments):
    """The interpreter itself tells of every connection and every name that is looked up."""
    if not _listening:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _listening[-1].add(str(arguments[1][0]))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        _listening[-1].add(str(arguments[0]))


sys.addaudithook(_hear)  # it cannot be taken off again


@pytest.fixture
def reached():
    _listening.append(set())
    yield _listening[-1]
    _listening.pop()


def test_the_ear_hears(reached):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        socket.create_connection(server.getsockname()).close()
    assert reached == {"127.0.0.1"}


def test_verbs_reach_nobody_but_whom_they_are_sent_to(run, place, reached):  # noqa: F811
    """The catalogue of this test is on this computer, the control planes answer nobody, and there is no one else."""
    for call in CALLS.values():
        run(*words(call, place), "-o", "json")
    own = {host for host in reached if not host.startswith(("127.", "10.0.0.")) and host not in ("localhost", "::1")}
    assert "127.0.0.1" in reached
    assert own == set()
