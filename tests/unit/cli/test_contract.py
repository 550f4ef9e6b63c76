"""What scripts rely on: for every verb the keys and types of its `data`, on success, and one form for every error.

`contract.yml` is the contract. A verb may say more one day; what it says now it goes on saying.
"""

import json
from functools import partial
from pathlib import Path

import click
import pytest
import yaml

from ohmykube import kubeconfig, nodes
from ohmykube.cli import cli, cluster, init
from ohmykube.cli.wiring import Session
from ohmykube.model.presets import Computer
from tests.unit.cache.archives import docker_archive
from tests.unit.cli import status_world
from tests.unit.cli.caches import ARCH, grow_old
from tests.unit.cli.test_planes import make_world  # noqa: F401 - a fixture

CONTRACT = yaml.safe_load(Path(__file__).with_name("contract.yml").read_text())
ENVELOPE = {"apiVersion", "command", "status", "data", "errors"}
# A shell has no result of ours. Of the others those tests tell that make what is needed: a machine, a registry.
ELSEWHERE = {"shell", "cache bake", "image pull"}
# How each is called, in an order in which each finds what it needs: a cluster `dev` of three nodes, an archive, a file.
CALLS = {
    "init": "init --name new --preset tiny --provider lima -f FOLDER/new.yaml --save-profile mine",
    "up": "up",
    "plan": "plan --workers 3",
    "add": "add",
    "delete": "delete dev-worker-2",
    "stop": "stop",
    "start": "start",
    "list": "list",
    "status": "status",
    "kubeconfig": "kubeconfig",
    "switch": "switch dev",
    "config show": "config show",
    "config validate": "config validate -f FILE",
    "config schema": "config schema",
    "doctor": "doctor",
    "logs": "logs FOLDER/bug.tgz",
    "report": "report start --compare up",
    "addon enable": "addon enable metrics-server",
    "addon list": "addon list",
    "addon status": "addon status",
    "addon disable": "addon disable metrics-server",
    "load": "load ARCHIVE",
    "image add": "image add ARCHIVE",
    "image list": "image list",
    "image export": "image export app:v1 FOLDER/out.tar",
    "image rm": "image rm app:v1",
    "cache pull": "cache pull tool",
    "cache add": "cache add TOOL --component tool --version v1.0.0",
    "cache list": "cache list",
    "cache verify": "cache verify",
    "cache stats": "cache stats",
    "cache export": "cache export FOLDER/cache.tar",
    "cache import": "cache import FOLDER/cache.tar",
    "cache prune": "cache prune --keep-days 1",
    "completion": "completion bash",
    "man": "man FOLDER/man1",
    "version": "version",
    "down": "down --force",
}


def verbs(command: click.Command = cli, path: str = "") -> list[str]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command, **cli.context_settings)
    found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return [verb for name, each in found.items() if each for verb in verbs(each, f"{path} {name}".strip())]


def shape(value):
    """Keys and types; of a list those of its first entry."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def lacks(promised, said, path="data"):
    """What the contract has and the answer has not."""
    if isinstance(promised, dict) and isinstance(said, dict):
        return [
            line
            for key, each in promised.items()
            for line in (lacks(each, said[key], f"{path}.{key}") if key in said else [f"{path}.{key} is gone"])
        ]
    if isinstance(promised, list) and isinstance(said, list):
        return [] if not promised else lacks(promised[0], said[0], f"{path}[]") if said else [f"{path} is empty"]
    return [] if promised == said else [f"{path} is {said}, not {promised}"]


@pytest.fixture
def place(tmp_path, world, catalogue, monkeypatch):
    """Words of a call → paths. The cluster of `world`, and what it is told of."""
    monkeypatch.setattr(Session, "provider", lambda *_, **__: world.provider)
    monkeypatch.setattr(Session, "glance", lambda _, folder: (folder.read_spec()["spec"], world.provider))
    monkeypatch.setattr(cluster, "refresh", lambda *_, **__: None)
    monkeypatch.setattr(init, "this_computer", lambda: Computer(8, 32 * 2**30))
    monkeypatch.setattr(nodes, "ask", partial(answer, nodes.ask))
    monkeypatch.setattr(kubeconfig, "reads", lambda _: ("https://10.0.0.254:6443", 2.0**32))
    (tmp_path / "app.tar").write_bytes(docker_archive(["app:v1"], arch=ARCH))
    (tmp_path / "tool").write_bytes(b"tool-1" * 1000)
    return {
        "FILE": str(world.folder.spec_file),
        "FOLDER": str(tmp_path),
        "ARCHIVE": str(tmp_path / "app.tar"),
        "TOOL": str(tmp_path / "tool"),
    }


def answer(ask, target, module, *args, **options):
    """A control plane tells `status` of all; whatever else is asked of nodes gets none."""
    if module != "cluster_overview":
        return ask(target, module, *args, **options)
    said = status_world.healthy()
    said["nodes"][0]["used"] = {"cpu": 0.25, "memory": 2.0**29}
    return said


def words(call, place):
    for name, path in place.items():
        call = call.replace(name, path)
    return call.split()


def test_every_verb_is_in_the_contract():
    chaos = {verb for verb in verbs() if verb.startswith("chaos ")}
    assert set(CALLS) == set(verbs()) - ELSEWHERE - chaos
    assert set(CONTRACT) == set(CALLS)


def test_what_is_promised_is_said(run, place, home):
    told = {}
    for verb, call in CALLS.items():
        if verb == "cache prune":
            grow_old(home)
        _, out, err = run(*words(call, place), "-o", "json")
        answer = json.loads(out)
        assert set(answer) == ENVELOPE, verb
        assert (answer["apiVersion"], answer["command"]) == ("ohmykube.dev/v1", verb), err
        told[verb] = shape(answer["data"])
    assert [f"{verb}: {line}" for verb in CALLS for line in lacks(CONTRACT[verb], told[verb])] == []


@pytest.mark.parametrize("verb", verbs())
def test_every_error_has_one_form(run, verb):
    code, out, _ = run(*verb.split(), "--no-such-flag", "-o", "json")
    answer = json.loads(out)
    assert (code, set(answer), answer["status"], answer["data"]) == (2, ENVELOPE, "error", None)
    assert answer["command"] == verb
    (error,) = answer["errors"]
    assert set(error) == {"code", "message", "hint", "context"}
    if verb != "shell":  # which hands flags on to the node
        assert error["code"] == "cli.usage"
        assert "--no-such-flag" in error["message"]
