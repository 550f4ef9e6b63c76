"""What is read from records, whole and broken; what determined the end; two runs compared."""

from hypothesis import given
from hypothesis import strategies as st

from ohmykube.report import critical
from ohmykube.report.compare import compare
from ohmykube.report.run import Bar, read
from tests.unit.report.records import NAME, PLANE, WORKER, close, line, records, run_of, up


def test_a_record_becomes_a_run():
    run = run_of(up())
    assert (run.verb, run.cluster, run.outcome, run.seconds) == ("up", "dev", "ok", 20.0)
    assert run.nodes == (PLANE, WORKER)
    assert [(phase.name, phase.start, phase.end, phase.status) for phase in run.phases] == [
        ("packages", 0, 3, "done"),
        ("machines", 0, 5, "done"),
        ("Kubernetes", 5, 19, "done"),
        ("remove nodes", 19, 19, "skipped"),
    ]
    assert Bar("Make the cluster", "Kubernetes", 10, 16, "changed", PLANE) in run.tasks
    assert len(run.tasks) == 6
    (download,) = run.downloads
    assert (download.name, download.start, download.end) == ("kubeadm v1.36.4", 0.5, 2.5)
    assert download.bytes == 71 * 2**20
    assert run.parts == ({"name": "kubeadm", "version": "v1.36.4", "bytes": 21_000_000},)
    assert [note.text for note in run.notes] == ["reg.test/app:1 is left to the nodes"]


def test_what_a_kill_cut_off_is_unfinished_until_the_last_word():
    lines = up()
    cut = next(number for number, words in enumerate(lines) if "Make the cluster" in words) + 1
    run = run_of([*lines[:cut], lines[cut][:40]])
    assert run.outcome == "unfinished"
    assert run.seconds == 10
    assert run.phases[-1] == Bar("Kubernetes", "Kubernetes", 5, 10, "unfinished")
    assert Bar("Make the cluster", "Kubernetes", 10, 10, "unfinished", PLANE) in run.tasks


def test_a_task_of_a_phase_that_failed_has_failed_with_it():
    lines = [line(0, "run", verb="up"), line(0, "start", phase="ssh")]
    lines += [line(1, "step", phase="ssh", node=WORKER, text="wait"), line(3, "fail", phase="ssh")]
    lines += [line(3, "error", code="ssh.unreachable", message="no answer"), line(3, "end", status="failed")]
    run = run_of(lines)
    assert run.tasks == (Bar("wait", "ssh", 1, 3, "failed", WORKER),)
    assert run.errors == ({"code": "ssh.unreachable", "message": "no answer", "hint": ""},)


@given(st.lists(st.one_of(st.text(), st.sampled_from(["{}", "[1]", "null", '{"time": NaN, "kind": "run"}']))))
def test_what_is_no_event_is_passed_over(lines):
    run = read(NAME, [*lines, *up()])
    assert (run.verb, run.seconds, len(run.tasks)) == ("up", 20, 6)


@given(records())
def test_whatever_a_record_says_times_lie_within_the_run(lines):
    run = run_of(lines)
    for each in (*run.phases, *run.tasks, *run.downloads):
        assert 0 <= each.start <= each.end <= run.seconds


@given(records())
def test_the_critical_path_is_the_whole_run_without_gap_or_overlap(lines):
    run = run_of(lines)
    pieces = critical.path(run)
    assert close(sum(piece.seconds for piece in pieces), run.seconds)
    at = 0.0
    for piece in pieces:
        assert piece.start == at
        assert piece.end > piece.start
        assert piece.bar is None or piece.bar in (*run.tasks, *run.phases)
        at = piece.end


def test_the_critical_path_is_what_the_end_waited_for():
    pieces = critical.path(run_of(up()))
    assert [(piece.bar.name, piece.bar.node) if piece.bar else piece.phase for piece in pieces] == [
        ("start", WORKER),
        "Kubernetes",
        ("Push the images", PLANE),
        ("Make the cluster", PLANE),
        ("Join the cluster", WORKER),
        "",
    ]


def test_two_runs_are_compared_by_what_took_longest():
    found = compare(run_of(up(slow=1.5)), run_of(up()))
    assert found.total.more == 3
    assert [(each.name, each.this, each.other) for each in found.tasks[:1]] == [("Make the cluster", 9, 6)]
    assert all(close(each.more, 0) for each in found.tasks[1:])
    assert [each.name for each in found.phases] == ["packages", "machines", "Kubernetes"]


@given(records(), records())
def test_a_comparison_has_everything_of_both_once(one, other):
    this, that = run_of(one), run_of(other)
    found = compare(this, that)
    names = [each.name for each in found.tasks]
    assert sorted(names) == sorted({task.name for task in (*this.tasks, *that.tasks)})
    assert [abs(each.more) for each in found.tasks] == sorted((abs(each.more) for each in found.tasks), reverse=True)
