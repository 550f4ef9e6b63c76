"""What the real limactl makes of a template of the user's own below ours. Nothing is downloaded and no machine is made.

OHMYKUBE_TEST_LIMACTL       a limactl; default: the one on the PATH
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ohmykube.providers.lima import template
from ohmykube.providers.lima.limactl import Limactl, at_least
from tests.unit.docs.blocks import TOP, blocks
from tests.unit.providers.test_lima_parts import MACHINE, RECIPE

LIMACTL = os.environ.get("OHMYKUBE_TEST_LIMACTL") or shutil.which("limactl")
(EXAMPLE,) = [block.text for block in blocks(TOP / "docs/lima.md") if block.language == "yaml"]

pytestmark = [
    pytest.mark.skipif(LIMACTL is None, reason="no limactl: set OHMYKUBE_TEST_LIMACTL"),
    pytest.mark.skipif(os.geteuid() == 0, reason="limactl refuses to run as root"),
]


@pytest.fixture
def limactl() -> Iterator[Limactl]:
    home = Path(tempfile.mkdtemp(prefix="omk-", dir="/tmp"))  # short: socket paths are limited
    (home / "_config").mkdir()
    made = Limactl(Path(str(LIMACTL)), home)
    made.run("network", "create", RECIPE.network, "--gateway", "192.168.107.1/24")
    yield made
    shutil.rmtree(home)


def test_the_documented_one_lies_below_ours(limactl: Limactl) -> None:
    mine, ours = limactl.home / "machines.yaml", limactl.home / "ours.yaml"
    mine.write_text(f"{EXAMPLE}\nplain: false\nnetworks: [{{vzNAT: true}}]\nprobes: [{{script: '#!/bin/sh'}}]\n")
    ours.write_text(template.render(MACHINE, replace(RECIPE, arch=platform.machine(), image=None, base=mine)))
    merged = limactl.home / "merged.yaml"
    limactl.run("template", "copy", "--embed-all", str(ours), str(merged))

    made, wish = yaml.safe_load(merged.read_text()), yaml.safe_load(EXAMPLE)
    assert "base" not in made
    assert {key: made[key] for key in ("images", "timezone", "vmOpts")} == {
        key: wish[key] for key in ("images", "timezone", "vmOpts")
    }
    assert (made["plain"], made["cpus"], made["user"]["name"]) == (True, MACHINE.cpu, "ohmykube")
    assert [list(network) for network in made["networks"]] == [["lima"], ["vzNAT"]]
    assert made["provision"][0]["script"].strip() == wish["provision"][0]["script"].strip()
    assert "authorized_keys" in made["provision"][-1]["script"]

    mine.write_text(EXAMPLE)
    limactl.run("template", "copy", "--embed-all", str(ours), str(merged))
    limactl.run("template", "validate", str(merged))


def test_it_takes_what_the_newest_ubuntu_needs(limactl: Limactl) -> None:
    if not at_least(limactl.executable, (2, 2)):
        pytest.skip("limactl is older than 2.2")
    ours = limactl.home / "ours.yaml"
    ours.write_text(template.render(MACHINE, replace(RECIPE, arch=platform.machine(), late_network=True)))
    limactl.run("template", "validate", str(ours))
