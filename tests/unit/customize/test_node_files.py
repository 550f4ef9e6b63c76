"""Files of somebody's: placed once, kept as wanted, and taken back so that the machine is as it was."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize import placing
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.placing import ORIGINALS, RECORD
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.modules import node_files

from tests.unit.node.machine import Machine

ME = {"owner": str(os.getuid()), "group": str(os.getgid())}
MOTD = "/etc/motd"


def entry(path: str, **values: Any) -> dict[str, Any]:
    """One of the list, as the module's action sends it."""
    rest = {"content": None, "source": None, "directory": False, "mode": None}
    return {"path": path, **rest, **ME, **values}


def place(machine: Machine, *entries: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    return node_files.run({"files": list(entries)}, machine.host, check_mode=check_mode)


def changes(machine: Machine, *entries: dict[str, Any]) -> Sequence[str]:
    return [str(change) for change in place(machine, *entries)["changes"]]


def mode(machine: Machine, path: str) -> str:
    return f"{stat.S_IMODE((machine.root / path.lstrip('/')).stat().st_mode):04o}"


def look(machine: Machine) -> dict[str, tuple[int, bytes | str]]:
    """Everything on the machine: mode, and content or the target of a link."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(machine.root.rglob("*")):
        link = path.is_symlink()
        content = str(path.readlink()) if link else path.read_bytes() if path.is_file() else ""
        found[str(path.relative_to(machine.root))] = (path.lstat().st_mode, content)
    return found


def test_placed_once_and_removed_with_the_folders_made_for_it(machine: Machine) -> None:
    before = look(machine)
    wanted = entry("/etc/demo/deep/a.conf", content="a = {{ b }}\n", mode="0640")
    planned = place(machine, wanted, check_mode=True)
    assert look(machine) == before
    done = place(machine, wanted)
    assert done == planned
    assert done["changes"] == ["/etc/demo/deep/a.conf"]
    assert machine.read("/etc/demo/deep/a.conf") == "a = {{ b }}\n"
    assert mode(machine, "/etc/demo/deep/a.conf") == "0640"
    assert changes(machine, wanted) == []
    assert changes(machine) == [
        "/etc/demo/deep/a.conf removed",
        "/etc/demo/deep/ removed if empty",
        "/etc/demo/ removed if empty",
    ]
    assert look(machine) == before
    assert changes(machine) == []


def test_what_was_there_before_comes_back_however_often_it_was_changed(machine: Machine) -> None:
    machine.write(MOTD, "welcome\n")
    (machine.root / "etc/motd").chmod(0o600)
    os.utime(machine.root / "etc/motd", (7, 7))
    before = look(machine)
    for text in ("one\n", "two\n"):
        assert changes(machine, entry(MOTD, content=text)) == [MOTD]
    assert mode(machine, MOTD) == "0644"
    assert changes(machine) == [f"{MOTD} as it was before"]
    assert look(machine) == before
    assert (machine.root / "etc/motd").stat().st_mtime == 7


def test_a_link_is_replaced_and_comes_back_as_a_link(machine: Machine) -> None:
    (machine.root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    before = look(machine)
    done = place(machine, entry("/etc/resolv.conf", content="nameserver 192.0.2.1\n"))
    assert done["diff"][0]["before"] == "-> ../run/systemd/resolve/stub-resolv.conf\n"
    assert not (machine.root / "etc/resolv.conf").is_symlink()
    place(machine)
    assert look(machine) == before


def test_what_is_as_wanted_already_is_nobodys(machine: Machine) -> None:
    machine.write(MOTD, "welcome\n")
    (machine.root / "etc/motd").chmod(0o644)
    before = look(machine)
    assert changes(machine, entry(MOTD, content="welcome\n")) == []
    assert changes(machine) == []
    assert look(machine) == before


def test_mode_and_owner_alone_are_changes(machine: Machine) -> None:
    place(machine, entry(MOTD, content="x"))
    done = place(machine, entry(MOTD, content="x", mode="0600"))
    assert done["changes"] == [MOTD]
    assert "mode 0644" in done["diff"][0]["before"]
    assert "mode 0600" in done["diff"][0]["after"]


def test_a_file_that_is_no_longer_listed_goes_and_the_others_stay(machine: Machine) -> None:
    one, two = entry("/etc/d/one", content="1"), entry("/etc/d/two", content="2")
    place(machine, one, two)
    assert changes(machine, two) == ["/etc/d/one removed"]
    assert machine.exists("/etc/d/two")


def test_others_files_keep_a_folder_that_was_made(machine: Machine) -> None:
    place(machine, entry("/etc/d/one", content="1"))
    machine.write("/etc/d/theirs", "")
    place(machine)
    assert machine.exists("/etc/d/theirs")
    assert not machine.exists(RECORD)


def test_the_later_of_two_counts(machine: Machine) -> None:
    place(machine, entry(MOTD, content="all"), entry(MOTD, content="group"))
    assert machine.read(MOTD) == "group"


def test_folders(machine: Machine) -> None:
    (machine.root / "etc/there").mkdir(mode=0o755)
    before = look(machine)
    new, there = entry("/srv/data", directory=True, mode="0700"), entry("/etc/there", directory=True)
    assert changes(machine, new, there) == ["/srv/data/"]
    assert mode(machine, "/srv/data") == "0700"
    assert changes(machine, new, {**there, "mode": "0750"}) == ["/etc/there/"]
    assert changes(machine, new) == ["/etc/there/ as it was before"]
    place(machine)
    assert look(machine) == before


def test_a_source_that_is_a_folder(machine: Machine, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / ".hidden" / "empty").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o775)
    (source / ".hidden" / "data").write_bytes(b"\0\xff")
    (source / "link").symlink_to("run.sh")
    (machine.root / "opt").mkdir(mode=0o711)
    before = look(machine)

    wanted = entry("/opt", source=read(source).as_data())
    assert changes(machine, wanted) == [
        "/opt/.hidden/",
        "/opt/.hidden/empty/",
        "/opt/.hidden/data",
        "/opt/link",
        "/opt/run.sh",
    ]
    assert (mode(machine, "/opt/run.sh"), mode(machine, "/opt/.hidden/data")) == ("0755", "0644")
    assert mode(machine, "/opt") == "0711"
    assert changes(machine, wanted) == []

    private = entry("/opt", source=read(source).as_data(), mode="0600")
    place(machine, private)
    assert mode(machine, "/opt/run.sh") == "0600"
    (source / "run.sh").unlink()
    (source / "link").unlink()
    gone = entry("/opt", source=read(source).as_data())
    assert changes(machine, gone)[:2] == ["/opt/link removed", "/opt/run.sh removed"]
    place(machine)
    assert look(machine) == before


def test_a_new_folder_may_be_entered_by_who_may_read_its_files(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/key").write_text("k")
    source = read(tmp_path / "s").as_data()
    place(machine, entry("/etc/keys", source=source, mode="0640"))
    assert mode(machine, "/etc/keys") == "0750"
    # A folder that is named itself is as it is named, whatever comes after it.
    place(machine, entry("/etc/keys", directory=True, mode="0711"), entry("/etc/keys", source=source, mode="0640"))
    assert mode(machine, "/etc/keys") == "0711"


def test_no_diff_tells_what_not_everybody_may_read(machine: Machine) -> None:
    machine.write("/etc/token", "old-secret\n")
    (machine.root / "etc/token").chmod(0o600)
    done = place(machine, entry("/etc/token", content="new-secret\n", mode="0640"))
    assert "secret" not in str(done)
    assert "open" in str(place(machine, entry("/etc/token", content="open\n")))


def test_a_run_that_dies_leaves_nothing_unknown(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write(MOTD, "welcome\n")
    before = look(machine)

    def die(*_: object) -> None:
        raise OSError(28, "No space left on device", "/etc/motd")

    wanted = [entry("/etc/new", content="1"), entry(MOTD, content="2")]
    monkeypatch.setattr(placing, "write_atomic", _dies_at(die, "/etc/motd"))
    with pytest.raises(OhmykubeError, match="/etc/motd: No space left on device"):
        place(machine, *wanted)
    monkeypatch.undo()
    assert look(machine) != before
    place(machine)
    assert look(machine) == before


def test_what_kubeadms_reset_took_away_is_no_trouble(machine: Machine) -> None:
    machine.write("/etc/kubernetes/audit.yaml", "theirs\n")
    before = look(machine)
    place(machine, entry("/etc/kubernetes/audit.yaml", content="ours\n"), entry("/etc/kubernetes/more/x", content=""))
    for path in ("audit.yaml", "more/x"):
        (machine.root / "etc/kubernetes" / path).unlink()
    (machine.root / "etc/kubernetes/more").rmdir()
    (machine.root / "etc/kubernetes").rmdir()
    place(machine)
    assert look(machine) == before
    assert not machine.exists(ORIGINALS)


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        (entry("motd", content=""), "files.path", "is no absolute path"),
        (entry("/etc/../motd", content=""), "files.path", "is no absolute path"),
        (entry("/etc/motd/", content=""), "files.path", "is no absolute path"),
        (entry("/etc/hosts", content=""), "files.path", "own roles"),
        (entry("/var/lib/ohmykube/files.json", content=""), "files.path", "nobody but"),
        (entry("/etc/folder", content=""), "files.conflict", "something else is there"),
        (entry("/etc/file", directory=True), "files.conflict", "a file is there"),
        (entry("/etc/file/below", content=""), "files.failed", "/etc/file/below: Not a directory"),
        (entry(MOTD, content="", mode="rw-r--r--"), "files.mode", "no mode in octal"),
        (entry(MOTD, content="", mode="99999"), "files.mode", "no mode in octal"),
        (entry(MOTD, content="", owner="no-such-user"), "files.owner", "no user 'no-such-user'"),
        (entry(MOTD, content="", group="no-such-group"), "files.owner", "no group 'no-such-group'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(
    machine: Machine, wanted: dict[str, Any], code: str, words: str
) -> None:
    (machine.root / "etc/folder").mkdir()
    machine.write("/etc/file", "")
    before = look(machine)
    with pytest.raises(OhmykubeError, match=words) as caught:
        place(machine, entry("/etc/other", content=""), wanted)
    assert caught.value.code == code
    assert look(machine) == before


def _dies_at(die: Any, path: str) -> Any:
    def write(target: Path, *values: Any) -> None:
        (die if str(target).endswith(path) else _WRITE)(target, *values)

    return write


_WRITE = placing.write_atomic
