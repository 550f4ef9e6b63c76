"""Files: whole or not at all, and a diff that tells no secret."""

import stat
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, plan_file, write_atomic

from tests.unit.node.machine import Machine


def test_a_new_file_gets_its_folders_content_and_mode(machine: Machine) -> None:
    change = plan_file(machine.host, "/etc/demo/deep/a.conf", "a = 1\n", mode=0o600)
    assert change is not None
    assert not machine.exists("/etc/demo")
    change.apply()
    assert machine.read("/etc/demo/deep/a.conf") == "a = 1\n"
    assert stat.S_IMODE((machine.root / "etc/demo/deep/a.conf").stat().st_mode) == 0o600
    assert plan_file(machine.host, "/etc/demo/deep/a.conf", "a = 1\n", mode=0o600) is None


def test_a_mode_alone_is_a_change_that_the_diff_shows(machine: Machine) -> None:
    machine.write("/etc/a", "x\n")
    (machine.root / "etc/a").chmod(0o644)
    change = plan_file(machine.host, "/etc/a", "x\n", mode=0o600)
    assert change is not None
    assert "0644" in change.before
    assert "0600" in change.after


def test_an_edited_file_keeps_its_mode(machine: Machine) -> None:
    machine.write("/etc/fstab", "x\n")
    (machine.root / "etc/fstab").chmod(0o640)
    change = plan_file(machine.host, "/etc/fstab", "y\n")
    assert change is not None
    change.apply()
    assert stat.S_IMODE((machine.root / "etc/fstab").stat().st_mode) == 0o640


def test_a_secret_is_in_no_diff(machine: Machine) -> None:
    machine.write("/etc/token", "old-secret\n")
    change = plan_file(machine.host, "/etc/token", "new-secret\n", mode=0o600, secret=True)
    assert change is not None
    assert "secret" not in str(change.diff())


def test_removing(machine: Machine) -> None:
    machine.write("/etc/a", "x\n")
    change = plan_file(machine.host, "/etc/a", None)
    assert isinstance(change, Change)
    change.apply()
    assert not machine.exists("/etc/a")
    assert plan_file(machine.host, "/etc/a", None) is None


def test_a_link_to_nowhere_is_replaced_and_not_followed(machine: Machine) -> None:
    (machine.root / "etc/unit.service").symlink_to("/dev/null")
    change = plan_file(machine.host, "/etc/unit.service", "[Unit]\n", mode=0o644)
    assert change is not None
    change.apply()
    assert not (machine.root / "etc/unit.service").is_symlink()
    assert machine.read("/etc/unit.service") == "[Unit]\n"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "taken"
    target.mkdir()
    (target / "child").touch()
    with pytest.raises(OSError, match="taken"):
        write_atomic(target, b"x", 0o644)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["taken"]
