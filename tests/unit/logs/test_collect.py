"""What gets into the archive, and what happens where something cannot be had."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import yaml

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.logs import archive, objects, sources
from ohmykube.logs.redact import REMOVED
from ohmykube.logs.sources import Missing
from ohmykube.model.machines import SshTarget

TARGET = SshTarget("10.0.0.1", "admin", Path("/key"), Path("/known_hosts"))


@pytest.fixture
def collected(tmp_path):
    """collected(source, …) → (texts by name, what is missing)."""

    def call(*wanted):
        with archive.create(tmp_path / "x.tgz", "top") as made:
            missing = sources.collect(made, wanted)
        with tarfile.open(tmp_path / "x.tgz") as tar:
            texts = {entry.name.removeprefix("top/"): tar.extractfile(entry).read().decode() for entry in tar}
        return texts, missing

    return call


@pytest.fixture
def remote(monkeypatch):
    """In place of ssh: what commands answer, by a word in them; an error is raised."""
    answers, ran = {}, []

    def stream(target, words, take, *, timeout):
        ran.append(words)
        found = next((answer for word, answer in answers.items() if word in words[-1]), b"")
        if isinstance(found, OhmykubeError):
            raise found
        take(io.BytesIO(found))

    monkeypatch.setattr(ssh, "stream", stream)
    return answers, ran


def test_an_archive_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.tgz"
    with archive.create(path, "top") as made:
        made.add_text("a.txt", "password: hunter2\n")
        assert not path.exists()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["x.tgz"]
    with pytest.raises(ZeroDivisionError), archive.create(tmp_path / "y.tgz", "top"):
        _ = 1 // 0
    assert [file.name for file in tmp_path.iterdir()] == ["x.tgz"]
    with tarfile.open(path) as tar:
        entry = tar.getmember("top/a.txt")
        assert (entry.mode, tar.extractfile(entry).read()) == (0o600, f"password: {REMOVED}\n".encode())


def test_texts_have_a_limit_and_lines_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_ENTRY_MAX", 100)
    source = io.BytesIO(b"x" * (archive._BLOCK * 2 + 7) + b"\n" + b"a line\n" * 100)
    with archive.create(tmp_path / "x.tgz", "top") as made:
        made.add("a", source)
    with tarfile.open(tmp_path / "x.tgz") as tar:
        text = tar.extractfile("top/a").read().decode()
    assert text.startswith("[a line that was too long to be searched for secrets]\na line\n")
    assert text.endswith("[cut after 0 MiB]\n")
    assert source.read() == b"", "whoever writes it comes to an end"


def test_commands_run_as_root_and_what_fails_is_told(collected, remote):
    answers, ran = remote
    failed = OhmykubeError("ssh.failed", "crictl: not found")
    answers |= {"kubelet": b"token: abcdef.0123456789abcdef\n", "crictl": failed}
    texts, missing = collected(sources.remote("nodes/w1", TARGET, sources.NODE))
    assert texts["nodes/w1/kubelet.log"] == f"token: {REMOVED}\n"
    assert missing == [Missing("nodes/w1/containers.txt", "crictl: not found")]
    assert ran[0][:3] == ["sudo", "-n", "env"]
    assert set(texts) == {f"nodes/w1/{name}" for name in sources.NODE} - {"nodes/w1/containers.txt"}


def test_a_node_that_cannot_be_reached_is_one_line(collected, remote):
    answers, ran = remote
    answers["dmesg"] = OhmykubeError("ssh.unreachable", "no route")
    texts, missing = collected(sources.remote("nodes/w1", TARGET, sources.NODE))
    assert set(texts) == {"nodes/w1/kubelet.log", "nodes/w1/containerd.log"}
    assert missing == [Missing("nodes/w1", "no route")]
    assert len(ran) == 3


SECRET = {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}
POD = {
    "kind": "Pod",
    "metadata": {
        "name": "app",
        "managedFields": [{}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "a": "b"},
    },
    "spec": {
        "containers": [
            {
                "name": "app",
                "args": ["--token=hunter2"],
                "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "LOG_LEVEL", "value": "4"}],
            }
        ],
        "volumes": [{"name": "v", "secret": {"secretName": "v"}}],
    },
}


def test_objects_of_the_api_lose_their_secrets(collected, remote):
    answers, _ = remote
    answers["-A -o json"] = json.dumps({"items": [POD, SECRET]}).encode()
    answers["get nodes -o json"] = b"The connection was refused"
    texts, missing = collected(sources.cluster([TARGET]))
    assert "hunter2" not in str(texts)
    assert "aHVudGVyMg==" not in str(texts)
    (pod,) = yaml.safe_load_all(texts["cluster/workloads.yaml"])
    assert pod["metadata"] == {"name": "app", "annotations": {"a": "b"}}
    assert pod["spec"]["containers"][0]["env"][1] == {"name": "LOG_LEVEL", "value": "4"}
    assert pod["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "v"}}]
    assert [each.entry for each in missing] == ["cluster/nodes.yaml"]


def test_the_first_control_plane_that_answers_is_asked(collected, remote):
    answers, ran = remote
    assert collected(sources.cluster([]))[1] == [Missing("cluster", "no control plane runs")]
    answers["kubectl"] = OhmykubeError("ssh.failed", "refused")
    assert collected(sources.cluster([TARGET, TARGET]))[1] == [Missing("cluster", "refused")]
    assert len(ran) == 2


def test_values_of_a_wish_go_by_their_names():
    wish = {"spec": {"registries": [{"host": "r", "password": "two\nlines"}], "ssh": {"identityFile": "~/.ssh/id"}}}
    told = yaml.safe_load(objects.clean(yaml.safe_dump(wish)))
    assert told["spec"] == {"registries": [{"host": "r", "password": REMOVED}], "ssh": {"identityFile": "~/.ssh/id"}}
    assert objects.clean("a: [") == "a: ["


def test_texts_of_hooks_and_files_are_not_told():
    hooks = {"preSystem": [{"name": "one", "script": "curl -u me:hush", "file": ""}]}
    wish = {"spec": {"hooks": hooks, "files": [{"path": "/etc/a", "content": "hush"}, {"path": "/b", "content": None}]}}
    told = objects.clean(yaml.safe_dump(wish))
    assert "hush" not in told
    assert "/etc/a" in told


def test_files_of_this_computer(collected, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_TAIL", 20)
    runs = tmp_path / "runs"
    for number in range(12):
        folder = runs / f"{number:02}-up" / "artifacts" / "id"
        (folder / "job_events").mkdir(parents=True)
        (folder / "stdout").write_text("0123456789\n" * 3 + f"run {number}\n")
        (folder / "command").write_text("AWS_SECRET=hunter2")
        (folder / "job_events" / "1.json").write_text("{}")
    (tmp_path / "machines" / "w1").mkdir(parents=True)
    (tmp_path / "machines" / "w1" / "console.log").write_text("boot\n")
    found = [
        *sources.of_runs(runs),
        *sources.of_machines(tmp_path, tmp_path / "lima", ["w1", "w2"]),
    ]
    texts, _ = collected(sources.files(dict(found)))
    assert len([name for name in texts if name.endswith("/stdout")]) == 10
    assert texts["runs/11-up/stdout"] == "0123456789\nrun 11\n"
    assert texts["runs/11-up/job_events/1.json"] == "{}"
    assert texts["nodes/w1/machine/console.log"] == "boot\n"
    assert not any(name.endswith("command") for name in texts)
