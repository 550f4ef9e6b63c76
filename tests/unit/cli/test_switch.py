"""Which cluster is meant, and what the shell offers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ohmykube.store.home import Home
from ohmykube.store.state import MachineRecord, State
from tests.unit.cli.test_cli import made


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """The person's own, with a context of `dev` and another, which is current."""
    path = tmp_path / "kubeconfig"
    contexts = [{"name": name, "context": {"cluster": name, "user": name}} for name in ("work", "dev")]
    path.write_text(yaml.safe_dump({"kind": "Config", "contexts": contexts, "current-context": "work"}))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def test_the_cluster_and_its_context_become_current(run, kubeconfig):
    made("dev")
    made("other")
    code, out, _ = run("switch", "dev", "-o", "json")
    assert code == 0
    assert json.loads(out)["data"] == {"name": "dev", "clusters": ["dev", "other"], "context": True}
    assert yaml.safe_load(kubeconfig.read_text())["current-context"] == "dev"
    assert run("switch")[1] == "dev\n"
    assert not json.loads(run("switch", "other", "-o", "json")[1])["data"]["context"]
    assert Home.from_environment().current() == "other"
    assert yaml.safe_load(kubeconfig.read_text())["current-context"] == "dev"


def test_only_one_that_is_there_is_chosen(run, kubeconfig):
    assert run("switch")[1] == "No cluster is chosen.\n"
    made("dev")
    before = kubeconfig.read_text()
    code, _, err = run("switch", "dve")
    assert code == 2
    assert "there is no cluster 'dve'" in err
    assert "did you mean 'dev'" in err
    assert (kubeconfig.read_text(), Home.from_environment().current()) == (before, "")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("comp",), ["completion"]),
        (("status", "--name", ""), ["dev", "dev-2"]),
        (("status", "--outp"), ["--output"]),
        (("delete", ""), ["dev-worker-1", "dev-worker-2"]),
        (("delete", "dev-worker-1", ""), ["dev-worker-2"]),
        (("delete", "--name", "dev-2", ""), []),
        (("shell", "dev-w"), ["dev-worker-1", "dev-worker-2"]),
        (("addon", "enable", "metrics-server", "c"), ["cert-manager", "contour"]),
        (("addon", "disable", ""), ["hello"]),
    ],
)
def test_bash_offers_what_is_there(run, words, offered):
    folder = made("dev")
    made("dev-2")
    records = [MachineRecord(f"dev-worker-{number}", "worker", "worker") for number in (1, 2)]
    folder.write_state(State(cluster="dev", provider="static", machines=tuple(records), addons=("hello",)))
    Home.from_environment().choose("dev")
    assert _completed(run("completion", "bash")[1], words) == offered


def test_versions_are_offered_and_every_shell_has_a_script(run):
    (first, *_) = _completed(run("completion", "bash")[1], ("up", "--k8s-version", "v1."))
    assert first.startswith("v1.")
    for shell in ("zsh", "fish"):
        assert "_OHMYKUBE_COMPLETE" in run("completion", shell)[1]


def _completed(script, words):
    """What bash would offer at the end of these words."""
    line = " ".join(f"'{word}'" for word in ("ohmykube", *words))
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _ohmykube_completion ohmykube; echo ${{COMPREPLY[@]}}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
