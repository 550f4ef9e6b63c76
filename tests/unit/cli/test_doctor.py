"""doctor as scripts and people meet it: exit codes, one JSON object, what it mends on this computer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ohmykube.providers import lookup
from ohmykube.store.home import Home
from tests.unit.cli.caches import data, flip, packages
from tests.unit.cli.test_cli import made
from tests.unit.phases.fakes import FakeProvider


@pytest.fixture(autouse=True)
def computer(monkeypatch):
    """One on which the provider `fake` is usable, whatever this one is."""
    provider = FakeProvider()
    monkeypatch.setattr(lookup, "choose", lambda: ("fake", ""))
    monkeypatch.setattr(lookup, "names", lambda: ("fake",))
    monkeypatch.setattr(lookup, "load", lambda _: FakeProvider)
    monkeypatch.setattr(lookup, "make", lambda *_: provider)
    return provider


def wrong(found):
    return {(each["code"], each["where"]): each["severity"] for each in found["findings"] if each["severity"] != "ok"}


def test_without_a_cluster_the_computer_and_the_cache_are_looked_at(run, home):
    code, out, _ = run("doctor")
    assert code == 0
    assert out == "0 problems, 0 warnings; 5 looks found all well.\n"
    found = data(run("doctor", "-o", "json"))
    assert [each["code"] for each in found["findings"]] == [
        *("computer.disk", "computer.memory", "provider", "leftover", "cache"),
    ]
    assert set(found["findings"][0]) == {"code", "what", "where", "severity", "remedy", "fixable", "fixed"}
    assert "✓ this computer: fake works here" in run("doctor", "-v")[1]


def test_a_cluster_that_is_named_and_is_not_there(run):
    code, out, _ = run("doctor", "--name", "nowhere", "-o", "json")
    assert (code, json.loads(out)["errors"][0]["code"]) == (2, "cluster.unknown")


def test_no_provider(run, monkeypatch):
    from ohmykube.errors import OhmykubeError

    def choose():
        raise OhmykubeError("provider.none", "no provider is usable here", hint="mend one of these")

    monkeypatch.setattr(lookup, "choose", choose)
    code, out, _ = run("doctor", "-o", "json")
    assert (code, json.loads(out)["status"]) == (1, "error")
    assert wrong(json.loads(out)["data"]) == {("provider.none", "this computer"): "problem"}


def test_damage_in_the_cache_is_found_and_mended_on_request_alone(run, catalogue, home):
    run("cache", "pull", "tool", "kubeadm")
    broken = next(packages(home).glob("tool-*"))
    flip(broken)
    code, out, _ = run("doctor")
    assert code == 1
    assert "✗" in out
    assert "remedy: `ohmykube doctor --fix` removes it, `ohmykube cache pull` fetches it again" in out
    assert broken.exists()
    found = data(run("doctor", "--fix", "-o", "json"))
    assert (found["fixed"], found["problems"], wrong(found)) == (1, 0, {})
    assert not broken.exists()
    assert data(run("doctor", "--fix", "-o", "json"))["fixed"] == 0


def test_what_clusters_left_that_are_no_more(run, home, computer):
    home = Home.from_environment()
    home.cluster("gone").make()
    (home.path / "clusters" / "dev-2" / "machines").mkdir(parents=True)
    computer.existing = {"dev-2-worker-1": "running"}
    computer.clusters = lambda: ["dev-2"] if computer.existing else []
    assert wrong(data(run("doctor", "-o", "json"))) == {
        ("leftover", "dev-2"): "warning",
        ("leftover", "gone"): "warning",
    }
    assert home.cluster("gone").path.exists()
    assert data(run("doctor", "--fix", "-o", "json"))["fixed"] == 2
    assert computer.existing == {}
    assert "cleanup" in computer.calls
    assert not list((home.path / "clusters").iterdir())


def test_what_somebody_is_at_work_on_is_not_left_over(run, home):
    folder = Home.from_environment().cluster("dev")
    folder.make()
    script = (
        "import sys; from pathlib import Path; from ohmykube.store import lock\n"
        "with lock.hold(Path(sys.argv[1]), 'up', timeout=5, waiting=print): print('held', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert wrong(data(run("doctor", "-o", "json"))) == {}
        made("dev")
        assert ("cluster.busy", "dev") in wrong(json.loads(run("doctor", "--name", "dev", "-o", "json")[1])["data"])
        holder.stdin.close()


def test_a_cluster_whose_record_is_damaged_is_a_finding(run):
    folder = made("dev")
    folder.state_file.write_text("{")
    code, out, _ = run("doctor", "--name", "dev", "-o", "json")
    assert code == 1
    assert wrong(json.loads(out)["data"]) == {("state.unreadable", "this computer"): "problem"}


def test_some_mended_and_others_not(run, computer, catalogue, home):
    """A machine is missing, and a file of the cache is damaged."""
    run("cache", "pull", "tool")
    flip(next(packages(home).glob("tool-*")))
    made("dev")
    code, out, _ = run("doctor", "--name", "dev", "--fix", "-o", "json")
    found = json.loads(out)
    assert (code, found["status"], found["data"]["fixed"]) == (3, "partial", 1)
    assert wrong(found["data"])[("machine.missing", "cp1")] == "problem"
