"""Records: whole lines for this user alone, whatever happens to the verb, the disk or the folder."""

import json
import shutil
import subprocess
import sys
import textwrap
import threading

import pytest

from ohmykube.errors import ErrorGroup, OhmykubeError
from ohmykube.phases.base import Event
from ohmykube.report import expected
from ohmykube.report.record import FILE, Recorder, Tee, outcome_of
from ohmykube.report.run import read
from tests.unit.report.records import run_of, up


@pytest.fixture
def recorder(tmp_path):
    def new_folder():
        folder = tmp_path / "run"
        folder.mkdir()
        return folder

    return Recorder(new_folder, {"verb": "up", "cluster": "dev"})


def lines_of(recorder):
    return [json.loads(line) for line in (recorder.folder / FILE).read_text().splitlines()]


def test_a_record_has_what_was_told_between_its_two_ends(recorder):
    with outcome_of(recorder):
        recorder(Event("start", "machines"))
        recorder(Event("task", "machines", "start", "w1", 1.5, "ok"))
    lines = lines_of(recorder)
    assert [line["kind"] for line in lines] == ["run", "start", "task", "end"]
    assert {key: value for key, value in lines[2].items() if key != "time"} == {
        "kind": "task", "phase": "machines", "text": "start", "node": "w1", "seconds": 1.5, "status": "ok",
    }  # fmt: skip
    assert (recorder.folder / FILE).stat().st_mode & 0o777 == 0o600
    assert [json.loads(line) for line in recorder.lines] == lines


def test_a_verb_that_tells_nothing_leaves_nothing(recorder, tmp_path):
    with outcome_of(recorder):
        pass
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(OhmykubeError("a.b", "no"), "failed"), (KeyboardInterrupt(), "interrupted"), (ValueError("x"), "failed")],
)
def test_how_a_verb_ended_is_recorded_and_raised(recorder, error, outcome):
    recorder(Event("start", "machines"))
    with pytest.raises(type(error)), outcome_of(recorder):
        raise error
    assert lines_of(recorder)[-1]["status"] == outcome


def test_every_error_is_recorded_without_its_secrets(recorder):
    errors = [OhmykubeError("a", "password: hunter2", hint="--token abcdef.0123456789abcdef"), OhmykubeError("b", "no")]
    with pytest.raises(ErrorGroup), outcome_of(recorder):
        raise ErrorGroup(errors)
    text = (recorder.folder / FILE).read_text()
    assert [error["code"] for error in run_of(text.splitlines()).errors] == ["a", "b"]
    assert "hunter2" not in text
    assert "0123456789abcdef" not in text


def test_what_was_told_is_recorded_without_its_secrets(recorder):
    with outcome_of(recorder):
        recorder(Event("note", "", "password: hunter2"))
        recorder(Event("step", "machines", "curl --token abcdef.0123456789abcdef", "w1"))
    text = (recorder.folder / FILE).read_text()
    assert "hunter2" not in text
    assert "0123456789abcdef" not in text
    assert "curl" in text


def test_a_full_disk_costs_the_record_alone(tmp_path):
    (tmp_path / FILE).symlink_to("/dev/full")
    recorder = Recorder(lambda: tmp_path, {"verb": "up"})
    with outcome_of(recorder):
        recorder(Event("start", "machines"))
        recorder(Event("done", "machines", seconds=1))


def test_a_verb_may_take_its_record_away_with_the_cluster(recorder):
    with outcome_of(recorder):
        recorder(Event("start", "clean up"))
        shutil.rmtree(recorder.folder)
        recorder(Event("done", "clean up", seconds=1))
    assert not recorder.folder.exists()
    assert [phase.name for phase in run_of(recorder.lines).phases] == ["clean up"]


def test_lines_of_many_threads_stay_whole(recorder):
    def tell(number):
        for _ in range(50):
            recorder(Event("step", "machines", "x" * 200, f"w{number}"))

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines_of(recorder)) == 401


def test_a_killed_verb_leaves_what_it_told(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from ohmykube.phases.base import Event
        from ohmykube.report.record import Recorder, outcome_of
        recorder = Recorder(lambda: Path(sys.argv[1]), {"verb": "up"})
        with outcome_of(recorder):
            recorder(Event("start", "machines"))
            recorder(Event("step", "machines", "create", "w1"))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=False, timeout=60)
    run = read("x", (tmp_path / FILE).read_text().splitlines())
    assert (run.verb, run.outcome) == ("up", "unfinished")
    assert [(task.name, task.status) for task in run.tasks] == [("create", "unfinished")]


def test_what_phases_took_is_learned_and_told_when_one_starts(tmp_path):
    file = tmp_path / expected.FILE
    for slow in (1.0, 1.5, 10.0):
        expected.learn(file, run_of(up(slow)))
    known = expected.read(file, "up")
    assert known == {"packages": 3, "machines": 5, "Kubernetes": 17}
    assert expected.read(file, "down") == {}
    shown, recorded = [], []
    tee = Tee(shown.append, recorded.append, known)
    for event in (Event("start", "Kubernetes"), Event("start", "new"), Event("note", "", "x")):
        tee(event)
    assert shown == recorded
    assert [event.expected for event in shown] == [17, 0, 0]


@pytest.mark.parametrize("text", ["", "[", "[]", '{"up": 3}', '{"up": {"ssh": "x", "a": ["b", true, 2.0]}}'])
def test_durations_that_somebody_broke_are_no_news(tmp_path, text):
    file = tmp_path / expected.FILE
    file.write_text(text)
    assert set(expected.read(file, "up").values()) <= {2.0}
    expected.learn(file, run_of(up()))
    assert expected.read(file, "up")["machines"] == 5


def test_only_the_last_runs_count(tmp_path):
    file = tmp_path / expected.FILE
    for slow in [10.0] * 20 + [1.0] * 9:
        expected.learn(file, run_of(up(slow)))
    assert expected.read(file, "up")["Kubernetes"] == 14
