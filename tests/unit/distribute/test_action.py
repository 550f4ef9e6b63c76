"""The task itself, with real caches, over ssh, over ssh with a sudo that asks for a password, and locally."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ohmykube import ssh
from tests.unit.distribute.play import Play, changes
from tests.unit.sshd import Sshd

# Asks as sudo does when ansible runs `sudo -p PROMPT -u USER COMMAND…`.
SUDO = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
    case $1 in -p) prompt=$2; shift ;; -u) shift ;; esac
    shift
done
printf %s "$prompt" >&2
read -r password
[ "$password" = geheim ] || { echo "Sorry, try again." >&2; exit 1; }
exec "$@"
"""


@pytest.fixture
def local(tmp_path: Path, home: Path) -> Play:
    root = tmp_path / "node"
    root.mkdir()
    play = Play(tmp_path, home, root, {"ansible_connection": "local", "ansible_python_interpreter": "auto_silent"})
    play.catalogue(one=b"one" * 100_000, two=b"two" * 100_000)
    return play


@pytest.fixture
def remote(local: Play, sshd: Sshd) -> Play:
    ssh.pin_host_key(local.folder / "known_hosts", f"[127.0.0.1]:{sshd.port}", sshd.host_key)
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_port": sshd.port,
        "ansible_user": sshd.user,
        "ansible_ssh_private_key_file": str(sshd.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={local.folder}/known_hosts -F /dev/null",
        "ansible_remote_tmp": str(local.folder / "remote-tmp"),
    }
    return Play(local.folder, local.home, local.root, variables)


PACKAGES = {"packages": [{"component": "one"}, {"component": "two", "version": "1.0.0"}]}


CHECK = {"check_mode": True, "diff": True}


def test_over_ssh_in_one_stream(remote: Play) -> None:
    check, first, second, absent, nothing = remote.run(
        PACKAGES, PACKAGES, PACKAGES, {"state": "absent"}, {"state": "absent"}, keywords=[CHECK, {"diff": True}]
    )
    assert check["changed"]
    assert changes(check) == [("one", True, False), ("two", True, False)]
    assert check["diff"] == first["diff"] == {"before": "", "after": "one v1.0.0\ntwo v1.0.0\n"}
    assert changes(first) == [("one", True, True), ("two", True, True)]
    assert not second["changed"]
    assert changes(second) == [("one", False, False), ("two", False, False)]
    assert absent["changed"]
    assert changes(absent) == [("one", True, False), ("two", True, False)]
    assert not nothing["changed"]
    assert list(remote.root.rglob("one")) == []
    assert "PUT" not in (remote.folder / "output").read_text().split("ansible.builtin.copy")[0]


def test_a_password_for_sudo_is_not_typed_into_the_stream(remote: Play) -> None:
    sudo = remote.folder / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    become = {"ansible_become": True, "ansible_become_exe": str(sudo), "ansible_become_password": "geheim"}
    play = replace(remote, variables={**remote.variables, **become})
    first, second = play.run(PACKAGES, PACKAGES)
    assert first["changed"]
    assert not second["changed"]
    assert (remote.root / "usr/local/bin/one").read_bytes() == b"one" * 100_000
    assert "geheim" not in (remote.folder / "output").read_text()
    assert list((remote.folder / "remote-tmp").iterdir()) == []


def test_another_connection_and_errors(local: Play) -> None:
    wrong: dict[str, Any] = {"packages": [{"component": "nonsense"}, {"component": "one", "version": "v9"}]}
    images: dict[str, Any] = {"images": ["reg.io/a:1", "reg.io/b:1"]}
    results = local.run(PACKAGES, PACKAGES, wrong, images, {**images, "required": False})
    assert [result["changed"] for result in results] == [True, False, False, False, False]
    assert (local.root / "usr/local/bin/two").read_bytes() == b"two" * 100_000
    assert results[2]["error"]["code"] == "catalogue.missing"
    assert "nonsense" in results[2]["msg"]
    assert "v9" in results[2]["msg"]
    assert results[3]["error"]["code"] == "image.missing"
    assert "reg.io/a:1, reg.io/b:1" in results[3]["msg"]
    assert results[4]["missing_images"] == images["images"]
