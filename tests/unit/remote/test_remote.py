"""Code that a node keeps: unpacked once, whole or not at all, and a program of it that runs from there."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code, start

from ohmykube import COLLECTIONS

CODE = code.code()
MODULE = "ansible_collections.ohmykube.cluster.plugins.modules.cluster_smoke"
OPTIONS = {"state": "absent", "image": "", "timeout": 1}  # where there is no kubectl: an error


def ask(request: bytes) -> dict[str, object]:
    """What the node's shell does with a request."""
    done = subprocess.run(["sh", "-c", code.command(sys.executable)], input=request, capture_output=True, check=False)
    return code.answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_same_sources_are_the_same_bytes() -> None:
    assert code.code.__wrapped__() == CODE
    assert len(CODE.data) < 110_000  # bytes, with every task
    sent = {source.name for source in code.sources()}
    assert {"receiver_images.py", "module.py", "clock.py", "node_health.py"} < sent
    assert not sent & {"cache.py", "download.py", "archives.py", "package_cache.py"}  # a node has no use for them


def test_what_is_sent_needs_nothing_else(tmp_path: Path) -> None:
    start.unpack(CODE.data, tmp_path)
    files = (file.relative_to(tmp_path).with_suffix("") for file in tmp_path.rglob("*.py") if file.stem != "__init__")
    names = [".".join(file.parts) for file in files]
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {', '.join(names)}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_code_is_unpacked_once(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    folder = start.keep(CODE.data, CODE.sum, kept)
    assert folder == kept / CODE.sum
    assert folder.stat().st_uid == os.getuid()
    assert kept.stat().st_mode & 0o777 == 0o700
    assert start.keep(b"not read again", CODE.sum, kept) == folder
    assert [path.name for path in kept.iterdir()] == [CODE.sum]


def test_another_process_may_have_been_quicker(tmp_path: Path) -> None:
    (tmp_path / "sum").mkdir()
    (tmp_path / "sum" / "there").touch()
    start.put(CODE.data, tmp_path / "sum")
    assert [path.name for path in tmp_path.iterdir()] == ["sum"]
    assert (tmp_path / "sum" / "there").exists()


def test_old_code_is_thrown_away_and_young_code_kept(tmp_path: Path) -> None:
    for name, age in (("old", start.AGED + 60), ("young", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    start.keep(CODE.data, CODE.sum, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"young", CODE.sum}


def test_who_may_not_keep_code_runs_it_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert start.keep(CODE.data, CODE.sum, tmp_path / "file") is None
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    made = temporary.stat().st_mtime_ns
    told = {"module": MODULE, "options": {**OPTIONS, "state": "tried"}, "check_mode": True}
    assert ask(code.request("remote.module", told, keep=False))["changed"] is False
    assert temporary.stat().st_mtime_ns > made  # it was used
    assert not list(temporary.iterdir())


def test_an_error_of_a_module_comes_back_as_one() -> None:
    with pytest.raises(OhmykubeError) as caught:
        ask(code.request("remote.module", {"module": MODULE, "options": OPTIONS, "check_mode": False}, keep=False))
    assert caught.value.code == "kubectl.failed"


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_module_runs_in_ansibles_own_way_too(check_mode: bool) -> None:
    source = Path(code.__file__).parents[2] / "modules/cluster_smoke.py"
    told = {"ANSIBLE_MODULE_ARGS": {"timeout": 1, "_ansible_check_mode": check_mode}}
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    command = [sys.executable, str(source)]
    done = subprocess.run(command, input=json.dumps(told).encode(), env=environment, capture_output=True, check=False)
    result = json.loads(done.stdout)
    assert result["checks"] == [] if check_mode else result["error"]["code"] == "kubectl.failed"


def test_a_program_that_breaks_says_its_last_words() -> None:
    with pytest.raises(OhmykubeError, match="ModuleNotFoundError") as caught:
        ask(code.request("no_such_program", {}, keep=False))
    assert caught.value.code == "node.no-answer"


def test_what_the_kernel_refuses_is_an_error_with_a_hint(tmp_path: Path) -> None:
    program = tmp_path / "blocked.py"
    program.write_text(
        "import os\n"
        "def run(options, host, *, check_mode):\n"
        "    descriptor = os.open('/dev/full', os.O_WRONLY)\n"
        "    os.write(descriptor, b'x')\n"
    )
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(COLLECTIONS)!r}]"
    script = f"{path}; from {code.PROGRAMS}.remote import module; sys.exit(module.main())"
    told = json.dumps({"module": "blocked", "options": {}, "check_mode": False}).encode()
    done = subprocess.run([sys.executable, "-c", script], input=told, capture_output=True, check=False)
    with pytest.raises(OhmykubeError, match="no room left") as caught:
        code.answer(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert caught.value.code == "node.disk-full"
    assert "df -h" in caught.value.hint
