"""The provider that the documentation shows is one, and works with the command that it supposes."""

import inspect
import os
import sys

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec, Provider, ProviderContext
from tests.unit.docs.blocks import TOP, blocks

CLOUD = """#!{python}
import json, pathlib, sys
state = pathlib.Path(__file__).with_name("state.json")
machines = json.loads(state.read_text()) if state.exists() else {{}}
verb, *words = sys.argv[1:]
if verb == "create":
    labels = dict(word.split("=")[1:] for word in words if word.startswith("--label="))
    machines[words[0]] = dict(name=words[0], labels=labels, on=False, address="192.0.2.1", host_key="ssh-ed25519 AAAA")
elif verb in ("start", "stop"):
    machines[words[0]]["on"] = verb == "start"
elif verb == "delete":
    del machines[words[0]]
else:
    print(json.dumps(list(machines.values())))
state.write_text(json.dumps(machines))
"""


@pytest.fixture
def provider(tmp_path, monkeypatch):
    (block,) = [block for block in blocks(TOP / "docs/provider.md") if block.language == "python"]
    names = {}
    exec(compile(block.text, str(block), "exec"), names)  # noqa: S102 - our own documentation
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    context = ProviderContext("dev", tmp_path, tmp_path, tmp_path / "key", tmp_path / "known_hosts")
    return names["CloudProvider"](context)


def test_it_has_all_that_a_provider_has(provider):
    wanted = {name: member for name, member in vars(Provider).items() if inspect.isfunction(member)}
    wanted = {name: member for name, member in wanted.items() if not name.startswith("_")}
    assert len(wanted) > 10
    for name, member in wanted.items():
        assert [*inspect.signature(member).parameters][1:] == [*inspect.signature(getattr(provider, name)).parameters]
    assert all(hasattr(provider, name) for name in Provider.__annotations__)


def test_it_works(provider, tmp_path):
    assert provider.unusable()
    assert [problem.code for problem in provider.preflight([])] == ["cloud.missing"]
    (tmp_path / "cloud").write_text(CLOUD.format(python=sys.executable))
    (tmp_path / "cloud").chmod(0o755)
    assert provider.preflight([]) == []
    for _ in range(2):
        provider.create(MachineSpec("dev-worker-1", "worker", "worker", 1, 1, 1))
    provider.start("dev-worker-1")
    (machine,) = provider.machines()
    assert (machine.status, machine.address, machine.ssh.user) == ("running", "192.0.2.1", "root")
    assert "192.0.2.1 ssh-ed25519 AAAA" in (tmp_path / "known_hosts").read_text()
    assert provider.clusters() == ["dev"]
    provider.stop("dev-worker-1")
    assert provider.machines()[0].status == "stopped"
    for _ in range(2):
        provider.delete("dev-worker-1")
    assert provider.machines() == []
    with pytest.raises(OhmykubeError, match="cloud start failed"):
        provider.start("nowhere")
