"""report: of runs as they were recorded, and of one that is recorded here."""

import json

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.report import expected
from ohmykube.store.home import Home
from tests.unit.cli.test_baking import UP_FLAGS, world
from tests.unit.phases.fakes import FakePlaybooks
from tests.unit.report.records import line, up

__all__ = ["world"]
FIRST, SECOND, STOP = "20261126T080000.000001-up", "20261126T090000.000001-up", "20261126T100000.000001-stop"


@pytest.fixture
def folder(home):
    """A cluster with two `up` and a `stop`, the last of which was killed."""
    folder = Home(home).cluster("dev")
    folder.make()
    folder.write_spec({})
    records = {FIRST: up(slow=1.5), SECOND: up(), STOP: [line(0, "run", verb="stop", cluster="dev"), '{"time": 17']}
    for name, lines in records.items():
        run = folder.path / "runs" / name
        run.mkdir(parents=True)
        (run / "events.jsonl").write_text("".join(lines))
    (folder.path / "runs" / "20261126T110000.000001-site").mkdir()  # Ansible's own
    Home(home).choose("dev")
    return folder.path / "runs"


@pytest.mark.parametrize(
    ("asked", "shown"), [((), STOP), (("up",), SECOND), (("20261126T08",), FIRST), ((SECOND,), SECOND)]
)
def test_the_run_that_is_meant_becomes_a_page_in_its_folder(run, folder, asked, shown):
    code, out, _ = run("report", *asked, "-o", "json")
    data = json.loads(out)["data"]
    assert code == 0
    assert data["run"] == shown
    assert data["file"] == str(folder / shown / "report.html")
    page = folder / shown / "report.html"
    assert page.read_text().startswith("<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o600


def test_its_text_says_what_was_waited_for_and_where_the_page_is(run, folder, tmp_path):
    target = tmp_path / "up.html"
    code, out, _ = run("report", "up", "--to", target)
    assert code == 0
    assert out.splitlines()[0] == "up dev: ok, 20.0 s"
    assert out.splitlines()[1].split() == ["6.0", "s", "Make", "the", "cluster", "(dev-control-plane-1)"]
    assert out.splitlines()[-1] == str(target)
    assert target.exists()


def test_two_runs_are_compared(run, folder):
    code, out, _ = run("report", "up", "--compare", "previous", "-o", "json")
    compared = json.loads(out)["data"]["compared"]
    assert code == 0
    assert (compared["run"], compared["more"]) == (FIRST, -3)
    assert compared["tasks"][0] == {"name": "Make the cluster", "this": 6, "other": 9}
    assert f"Compared with {FIRST}" in (folder / SECOND / "report.html").read_text()
    assert run("report", FIRST, "--compare", "up")[1].splitlines()[0].endswith(f"3.0 s slower than {SECOND}")


def test_all_runs_are_listed_with_how_they_ended(run, folder):
    rows = json.loads(run("report", "--list", "-o", "json")[1])["data"]
    assert [(row["run"], row["outcome"]) for row in rows] == [(FIRST, "ok"), (SECOND, "ok"), (STOP, "unfinished")]
    assert run("report", "--list")[1].splitlines()[0].split() == ["RUN", "STARTED", "SECONDS", "OUTCOME"]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (("upp",), 2, "there is no run 'upp'"),
        (("2026",), 2, "3 runs begin with '2026'"),
        (("stop", "--compare", "previous"), 1, f"no `stop` before {STOP}"),
        (("--to", "/nowhere/up.html"), 2, "cannot be written"),
        (("--name", "other"), 2, "there is no cluster 'other'"),
    ],
)
def test_what_cannot_be_shown_is_told(run, folder, asked, code, words):
    found, _, err = run("report", *asked)
    assert words in err
    assert found == code


def test_a_verb_records_itself_and_leaves_its_report(run, world, home):
    code, _, err = run(*UP_FLAGS, "--progress", "json")
    assert code == 0, err
    shown = [json.loads(each) for each in err.splitlines()]
    ended = {(each["text"], each["node"], each["status"]) for each in shown if each["kind"] == "task"}
    assert {("create", "dev-worker-1", "ok"), ("a task", "dev-worker-1", "changed")} <= ended
    (folder,) = Home(home).cluster("dev").runs("events.jsonl")
    assert folder.name.endswith("-up")
    assert "a task" in (folder / "report.html").read_text()
    data = json.loads(run("report", "--name", "dev", "-o", "json")[1])["data"]
    assert (data["verb"], data["outcome"], data["changed"]) == ("up", "ok", 1)
    assert "Kubernetes" in expected.read(home / expected.FILE, "up")


def test_a_verb_that_fails_leaves_its_report_and_teaches_nothing(run, world, home):
    words = "kubeadm says no"
    world.playbooks["dev"] = FakePlaybooks(fails=OhmykubeError("task.failed", words))
    assert run(*UP_FLAGS)[0] == 1
    (folder,) = Home(home).cluster("dev").runs("report.html")
    assert words in (folder / "report.html").read_text()
    assert expected.read(home / expected.FILE, "up") == {}


def test_a_verb_that_takes_the_cluster_away_leaves_nothing_but_what_it_taught(run, world, home):
    assert run(*UP_FLAGS)[0] == 0
    code, _, err = run("down", "--name", "dev")
    assert code == 0, err
    assert not Home(home).cluster("dev").path.exists()
    assert "clean up" in expected.read(home / expected.FILE, "down")
