"""ssh, against a private sshd: what is trusted, what ends a wait, and how commands travel."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import SshTarget
from tests.patience import FOREVER, PATIENCE
from tests.unit.sshd import Sshd


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


@pytest.fixture
def target(sshd: Sshd, known_hosts: Path) -> SshTarget:
    """A machine whose host key is pinned under another name than its address."""
    ssh.pin_host_key(known_hosts, "node-1", sshd.host_key)
    return SshTarget("127.0.0.1", sshd.user, sshd.key, known_hosts, sshd.port, host_key_alias="node-1")


def test_options_hear_neither_the_users_configuration_nor_unknown_keys(known_hosts: Path) -> None:
    options = ssh.options(SshTarget("10.0.0.1", "root", Path("/key"), known_hosts, 2222))
    assert options[:4] == ["-F", "/dev/null", "-p", "2222"]
    assert "-oStrictHostKeyChecking=yes" in options
    assert f'-oUserKnownHostsFile="{known_hosts}"' in options
    assert "-oGlobalKnownHostsFile=/dev/null" in options
    assert "-oHostKeyAlias=10.0.0.1" in options
    assert "-oIdentitiesOnly=yes" in options


def test_a_terminal_is_asked_for_only_on_request(known_hosts: Path) -> None:
    target = SshTarget("10.0.0.1", "root", Path("/key"), known_hosts)
    assert "-t" not in ssh.argv(target)
    assert ssh.argv(target, ["a b"], tty=True)[-3:] == ["root@10.0.0.1", "--", "'a b'"]


def test_paths_may_have_spaces(target: SshTarget, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    key, known_hosts = (Path(shutil.copy2(path, folder)) for path in (target.identity_file, target.known_hosts))
    moved = replace(target, identity_file=key, known_hosts=known_hosts)
    assert ssh.run(moved, ["echo", "here"], timeout=PATIENCE) == "here\n"


def test_an_argv_arrives_as_it_was_sent(target: SshTarget) -> None:
    words = ["a b", "$HOME", "it's", "*", "", ";true"]
    assert ssh.run(target, ["printf", "%s\\n", *words], timeout=PATIENCE).split("\n") == [*words, ""]


def test_standard_input_arrives(target: SshTarget) -> None:
    assert ssh.run(target, ["cat"], timeout=PATIENCE, stdin="hello\n") == "hello\n"


def test_a_failed_command_says_so_in_its_own_words(target: SshTarget) -> None:
    with pytest.raises(OhmykubeError, match="exit code 3: too bad") as caught:
        ssh.run(target, ["sh", "-c", "echo too bad >&2; exit 3"], timeout=PATIENCE)
    assert caught.value.code == "ssh.failed"
    assert caught.value.context["command"] == "sh -c 'echo too bad >&2; exit 3'"


def test_a_command_that_hangs_is_given_up(target: SshTarget) -> None:
    with pytest.raises(OhmykubeError, match="no answer within") as caught:
        ssh.run(target, ["sleep", "60"], timeout=1)
    assert caught.value.code == "ssh.unreachable"


def test_waiting_ends_with_the_first_answer(target: SshTarget) -> None:
    ssh.wait(target, timeout=PATIENCE)


def test_waiting_for_a_closed_port_lasts_as_long_as_allowed(target: SshTarget) -> None:
    start = time.monotonic()
    with pytest.raises(OhmykubeError, match="refused") as caught:
        ssh.wait(replace(target, host="127.0.0.3"), timeout=2)
    assert time.monotonic() - start >= 2
    assert "ohmykube status" in caught.value.hint


def test_waiting_ends_with_whatever_makes_it_useless(target: SshTarget) -> None:
    def look() -> None:
        raise OhmykubeError("machine.stopped", "it went off")

    start = time.monotonic()
    with pytest.raises(OhmykubeError, match="it went off"):
        ssh.wait(replace(target, host="127.0.0.3"), timeout=FOREVER, look=look)
    assert time.monotonic() - start < PATIENCE


def test_a_wrong_key_ends_the_wait_at_once(target: SshTarget, sshd: Sshd) -> None:
    start = time.monotonic()
    with pytest.raises(OhmykubeError, match="Permission denied") as caught:
        ssh.wait(replace(target, identity_file=sshd.wrong_key), timeout=FOREVER)
    assert time.monotonic() - start < PATIENCE
    assert "not accepted for user" in caught.value.hint


def test_a_changed_host_key_ends_the_wait_at_once(target: SshTarget, sshd: Sshd) -> None:
    sshd.replace_host_key()
    start = time.monotonic()
    with pytest.raises(OhmykubeError, match="Host key verification failed"):
        ssh.wait(target, timeout=FOREVER)
    assert time.monotonic() - start < PATIENCE


def test_a_host_that_was_never_pinned_is_not_trusted(target: SshTarget) -> None:
    with pytest.raises(OhmykubeError, match="Host key verification failed"):
        ssh.run(replace(target, host_key_alias=""), ["true"], timeout=PATIENCE)


def test_scanning_gives_the_key_that_the_host_shows(sshd: Sshd) -> None:
    assert ssh.scan_host_key("127.0.0.1", sshd.port) == sshd.host_key


def test_scanning_a_closed_port(sshd: Sshd) -> None:
    with pytest.raises(OhmykubeError, match="does not answer ssh") as caught:
        ssh.scan_host_key("127.0.0.3", sshd.port, timeout=1)
    assert caught.value.code == "ssh.unreachable"


def test_a_name_has_one_pinned_key(known_hosts: Path) -> None:
    ssh.forget_host_key(known_hosts, "a")
    assert not known_hosts.exists()
    ssh.pin_host_key(known_hosts, "a", "ssh-ed25519 OLD comment")
    ssh.pin_host_key(known_hosts, "ab", "ssh-ed25519 OTHER")
    ssh.pin_host_key(known_hosts, "a", "ssh-ed25519 NEW")
    assert known_hosts.read_text() == "ab ssh-ed25519 OTHER\na ssh-ed25519 NEW\n"
    ssh.forget_host_key(known_hosts, "a")
    assert known_hosts.read_text() == "ab ssh-ed25519 OTHER\n"


def test_machines_made_in_parallel_all_get_pinned(known_hosts: Path) -> None:
    names = [f"node-{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: ssh.pin_host_key(known_hosts, name, f"ssh-ed25519 {name}"), names))
    assert sorted(known_hosts.read_text().split()[::3]) == sorted(names)


def test_a_key_pair_is_made_once(tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    ssh.generate_key(key, "ohmykube dev")
    made = key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.with_suffix(".pub").read_text().endswith(" ohmykube dev\n")
    ssh.generate_key(key, "ohmykube dev")
    assert key.read_text() == made
    assert sorted(path.name for path in tmp_path.glob("id*")) == ["id_ed25519", "id_ed25519.pub"]


def test_output_of_any_length_is_handed_on_while_it_comes(target: SshTarget) -> None:
    seen: list[bytes] = []
    ssh.stream(target, ["sh", "-c", "seq 200000"], lambda output: seen.extend(output), timeout=PATIENCE)
    assert (len(seen), seen[-1]) == (200000, b"200000\n")
    with pytest.raises(OhmykubeError, match="exit code 7: words") as failed:
        ssh.stream(target, ["sh", "-c", "echo words >&2; exit 7"], lambda _: None, timeout=PATIENCE)
    assert failed.value.code == "ssh.failed"


def test_a_stream_ends_in_time_and_with_whoever_reads_it(target: SshTarget) -> None:
    started = time.monotonic()
    with pytest.raises(OhmykubeError, match="no answer within"):
        ssh.stream(target, ["sleep", "60"], lambda _: None, timeout=0.5)

    def refuse(_: object) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the reader's own
        ssh.stream(target, ["sleep", f"{PATIENCE}"], refuse, timeout=FOREVER)
    assert time.monotonic() - started < PATIENCE
