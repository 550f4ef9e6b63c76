"""Files and hooks on a real node, reached with sudo: what is done once, what is kept, and how all of it goes again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.plays import Site, site

pytestmark = pytest.mark.hosts

PLAY = """
- hosts: all
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: ohmykube.cluster.customize
        tasks_from: main
"""
RESET = PLAY.replace("main", "reset")
LOGS = "/var/log/ohmykube/hooks"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site("custom", tmp_path_factory.mktemp("custom")) as made:
        yield made


@pytest.fixture
def wish(node: Site, tmp_path: Path) -> dict[str, Any]:
    """What the role is given; what an earlier test left is gone."""
    outcome = node.play(RESET)
    assert outcome.failed == 0, outcome.output
    node.run("sh", "-c", "echo theirs >/etc/motd")
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "run.sh").write_text("#!/bin/sh\necho $0\n")
    (tree / "deep" / "run.sh").chmod(0o755)
    (tree / "data").write_bytes(b"\0\xff")
    script = tmp_path / "script.py"
    script.write_text("#!/usr/bin/env python3\nimport os\nprint(os.environ['OHMYKUBE_NODE'], os.getcwd())\n")
    return {
        "customize_files": [
            {"path": "/etc/motd", "content": "{% raw %}{{ on loan }}{% endraw %}\n"},
            {"path": "/etc/demo/token", "content": "hush-hush\n", "mode": "0640", "group": "daemon"},
            {"path": "/opt/tree", "source": str(tree)},
            {"path": "/srv/data", "directory": True, "owner": "1000", "mode": "0750"},
        ],
        "customize_hooks": {
            "preSystem": [
                {"name": "tree", "script": "/opt/tree/deep/run.sh >>/srv/data/runs; cat /etc/motd"},
                {"name": "python", "file": str(script)},
            ]
        },
    }


def test_placed_and_run_once_and_taken_back(node: Site, wish: dict[str, Any]) -> None:
    before = state(node)
    planned = node.play(PLAY, "--check", "--diff", **wish)
    assert (planned.changed, planned.failed) == (2, 0), planned.output
    assert state(node) == before

    done = node.play(PLAY, "--diff", **wish)
    assert (done.changed, done.failed) == (2, 0), done.output
    assert "hush" not in planned.output + done.output
    assert node.run("cat", "/etc/motd", "/srv/data/runs") == "{{ on loan }}\n/opt/tree/deep/run.sh\n"
    modes = node.run("stat", "--format=%a %U:%G", "/etc/demo/token", "/opt/tree/data", "/srv/data", LOGS)
    assert modes.splitlines()[:2] == ["640 root:daemon", "644 root:root"]
    assert modes.splitlines()[3] == "700 root:root"
    assert node.run("sh", "-c", f"cat {LOGS}/*").split() == [node.hosts[0].name, "/", "{{", "on", "loan", "}}"]
    assert node.play(PLAY, **wish).changed == 0

    node.run("rm", "/srv/data/runs")
    assert node.play(RESET).changed == 2
    assert state(node) == before
    assert node.play(RESET).changed == 0


def test_only_what_has_changed_is_done_again(node: Site, wish: dict[str, Any]) -> None:
    node.play(PLAY, **wish)
    hooks = wish["customize_hooks"]["preSystem"]
    hooks[0] = {**hooks[0], "script": hooks[0]["script"] + "; echo again"}
    del wish["customize_files"][0]
    assert node.play(PLAY, **wish).changed == 2
    assert node.run("cat", "/srv/data/runs") == "/opt/tree/deep/run.sh\n" * 2
    assert node.run("cat", "/etc/motd") == "theirs\n"
    assert node.play(PLAY, **wish).changed == 0


def test_a_hook_that_fails_ends_it_with_its_last_words(node: Site, wish: dict[str, Any]) -> None:
    hooks = wish["customize_hooks"]["preSystem"]
    outcome = node.play(PLAY, customize_hooks={"preSystem": [{"name": "bad", "script": "echo so bad\nfalse"}, *hooks]})
    assert outcome.failed == 1
    assert "the hook bad (preSystem) failed with status 1: so bad" in outcome.output
    assert f"{LOGS}/preSystem-bad.log" in outcome.output
    assert json.loads(node.run("cat", "/var/lib/ohmykube/hooks.json")) == {}
    mended = {"preSystem": [{"name": "bad", "script": "echo better"}]}
    assert node.play(PLAY, customize_hooks=mended).changed == 1


def state(node: Site) -> str:
    """What the role touches."""
    folders = "/etc /opt /srv /var/lib/ohmykube /var/log"
    listed = f"find {folders} -not -path '*/journal*' -printf '%p %m %U:%G %l\\n' 2>/dev/null | sort; cat /etc/motd"
    return node.run("sh", "-c", listed)
