"""What may run here, where it runs, and how long each part took."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

BUNDLE = Path(os.environ.get("OHMYKUBE_TEST_BUNDLE", "~/.cache/ohmykube/test-bundle")).expanduser()

# What fails on purpose is missed and comes back by heartbeats and leases: one at a time, and beside what is light.
_FAILING = {"test_chaos", "test_control_planes", "test_doctor", "test_faults", "test_kills", "test_lifecycle"}
_seconds: Counter[str] = Counter()

# A shell's job in the background ignores Ctrl-C, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this computer cannot run, and begin with what takes long."""
    items.sort(key=lambda item: _turn(item.nodeid)[0])
    for item in items:
        needs = {mark.name for mark in item.iter_markers()} & {"hosts", "cluster"}
        if needs and (os.geteuid() != 0 or not shutil.which("systemd-nspawn")):
            item.add_marker(pytest.mark.skip(reason="machines need root and systemd-nspawn"))
        elif "cluster" in needs and not (BUNDLE / "catalogue.yml").exists():
            item.add_marker(pytest.mark.skip(reason=f"no test bundle in {BUNDLE}"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _Workers(config, log)


class _Workers(LoadScopeScheduling):
    """Which tests go to one worker: those of a file, all of bare machines, and all in which something fails."""

    def _split_scope(self, nodeid: str) -> str:
        return _turn(nodeid)[1]


def _turn(nodeid: str) -> tuple[int, str]:
    """When a test's turn comes, and with which others it goes to one worker: many short ones fill the end."""
    area = Path(nodeid.partition("::")[0])
    if "unit" in area.parts:
        return 3, str(area)
    if area.stem in _FAILING:
        return 0, "failing clusters"
    return (2, str(area)) if "cluster" in area.parts else (1, "bare machines")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    area = Path(report.nodeid.partition("::")[0])
    _seconds["tests/unit" if "unit" in area.parts else str(area)] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds of work, by file where machines are made: what a run costs, and what to make faster."""
    terminalreporter.section("seconds")
    for area, seconds in sorted(_seconds.items()):
        terminalreporter.write_line(f"{area:<44}{seconds:8.1f}")
