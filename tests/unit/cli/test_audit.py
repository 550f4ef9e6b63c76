"""The log of all verbs, for those who want one."""

import json

import pytest

from ohmykube.store.home import Home
from tests.unit.cli.test_cli import made


@pytest.fixture
def log(tmp_path, monkeypatch):
    """What is in it."""
    path = tmp_path / "audit.jsonl"
    monkeypatch.setenv("OHMYKUBE_AUDIT_LOG", str(path))
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def test_who_did_what_and_how_it_ended(run, log, monkeypatch):
    made("dev")
    Home.from_environment().choose("dev")
    monkeypatch.setenv("LOGNAME", "ann")
    assert run("switch", "dev")[0] == 0
    assert run("status", "--name", "nope", "-o", "json")[0] == 2
    begin, end, other, refused = log()
    assert (begin["event"], begin["user"], begin["verb"], begin["cluster"]) == ("begin", "ann", "switch", "dev")
    assert begin["given"] == {"cluster": "dev"}
    assert begin["time"] <= end["time"]
    assert (end["event"], end["result"], end["pid"]) == ("end", "done", begin["pid"])
    assert end["seconds"] >= 0
    assert (other["cluster"], refused["result"]) == ("nope", "refused")


def test_it_is_for_its_owner_alone_and_only_grows(run, log, tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_text("{}\n")
    path.chmod(0o600)
    run("list")
    assert log()[0] == {}
    path.unlink()
    run("list")
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_is_in_it(run, log):
    made("dev")
    run("shell", "--name", "dev", "dev-1", "--", "echo", "hush")
    run("image", "pull", "https://ann:hush@example.test/tool", "--offline")
    assert [entry["verb"] for entry in log() if entry["event"] == "begin"] == ["shell", "image pull"]
    assert "example.test/tool" in str(log())
    assert "hush" not in str(log())


def test_what_cannot_be_logged_is_not_done(run, monkeypatch, tmp_path):
    made("dev")
    monkeypatch.setenv("OHMYKUBE_AUDIT_LOG", str(tmp_path / "none" / "log"))
    code, _, err = run("switch", "dev")
    assert code == 2
    assert "cannot be written" in err
    assert Home.from_environment().current() == ""


def test_without_it_there_is_none(run, tmp_path):
    run("list")
    assert list(tmp_path.glob("**/*audit*")) == []
