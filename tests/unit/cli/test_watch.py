"""status as people and scripts watch it: a process of its own, on a terminal or in a pipe."""

import json
import os
import signal
import subprocess
import sys

import pexpect
import pytest


@pytest.fixture
def begin(tmp_path, home, monkeypatch):
    """begin("--watch", "1", tty=True) → status of such a cluster, as a process of its own."""
    monkeypatch.chdir(tmp_path)
    begun = []

    def start(*args, tty=False, **more):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "80", **more}
        argv = ["-m", "tests.unit.cli.status_world", "status", *args]
        if tty:
            child = pexpect.spawn(
                sys.executable, argv, env=environment, timeout=30, encoding="utf-8", dimensions=(40, 80)
            )
        else:
            child = subprocess.Popen(
                [sys.executable, *argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        begun.append(child)
        return child

    yield start
    for child in begun:
        if isinstance(child, pexpect.spawn):
            child.close(force=True)
        else:
            child.kill()
            child.communicate()


def test_watching_on_a_terminal_survives_silence_and_ends_with_ctrl_c(begin, tmp_path):
    child = begin("--watch", "0.2", tty=True, NO_COLOR="")
    child.expect("dev: \x1b.*ready")
    child.expect_exact("every 0.2 s. Ctrl-C ends it.")
    (tmp_path / "away").touch()
    child.expect_exact("it is away")
    (tmp_path / "away").unlink()
    child.expect_exact("flannel")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, child.signalstatus) == (0, None)
    assert "\x1b[?25h" in child.before  # the cursor is back
    assert "Traceback" not in child.before


def test_no_colour_where_none_is_wanted(begin):
    for args, more in ((("--no-color",), {"NO_COLOR": ""}), ((), {"NO_COLOR": "1"})):
        child = begin(*args, tty=True, **more)
        child.expect(pexpect.EOF)
        assert "dev: ready." in child.before
        assert "\x1b" not in child.before
    child = begin(tty=True, NO_COLOR="")
    child.expect(pexpect.EOF)
    assert "\x1b[32mready\x1b[0m" in child.before


def test_watching_in_a_pipe_is_one_object_a_line(begin):
    child = begin("--watch", "0.2", "-o", "json")
    answers = [json.loads(child.stdout.readline()) for _ in range(3)]
    assert [answer["data"]["ready"] for answer in answers] == [True] * 3
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (0, "")


def test_watching_in_a_pipe_is_one_block_after_the_other_until_nobody_reads(begin):
    child = begin("-w", "0.2")
    blocks = ["", ""]
    for number in range(2):
        while "certificates" not in blocks[number]:
            blocks[number] += child.stdout.readline()
        assert child.stdout.readline() == "\n"
    assert blocks[0].startswith("dev: ready. ")
    assert blocks[0] == blocks[1]
    child.stdout.close()
    assert child.wait(timeout=30) == 0
    assert child.stderr.read() == ""


def test_watching_what_is_not_there_fails_at_once(run, home):
    code, _, err = run("status", "--name", "nope", "--watch")
    assert code == 2
    assert "there is no cluster 'nope'" in err
