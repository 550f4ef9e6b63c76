"""What GitHub would run: pinned, of few rights, and as the documentation says. actionlint is no Python package."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from tests.unit.docs.blocks import TOP, blocks, invocations, wrong

FILES = sorted((TOP / ".github").rglob("*.yml"))
WORKFLOWS = [file for file in FILES if file.parent.name == "workflows"]
ACTION = yaml.safe_load((TOP / ".github/actions/setup-ohmykube/action.yml").read_text())


def steps(file):
    content = yaml.safe_load(file.read_text())
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_of_others_are_pinned_to_a_commit(file):
    used = re.findall(r"uses: *(.+)", file.read_text())
    assert all(re.fullmatch(r"\./.+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)


def test_one_action_has_one_commit_everywhere():
    used = {each for file in FILES for each in re.findall(r"uses: *([^.].+)", file.read_text())}
    assert len({each.partition("@")[0] for each in used}) == len(used)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_may_read_and_no_more_and_end(file):
    content = yaml.safe_load(file.read_text())
    assert content["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in content["jobs"].values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_that_others_write_gets_into_a_script(file):
    scripts = [step["run"] for step in steps(file) if "run" in step]
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_commands_of_ours_are_ones_that_there_are(file):
    lines = [line.rstrip("\\|") for step in steps(file) for line in step.get("run", "").splitlines()]
    lines += re.findall(r"\$\((ohmykube[^|)]+)", file.read_text())
    calls = [words for line in lines if line.startswith("ohmykube") for words in invocations(line)]
    plain = [[word for word in words if not word.startswith("${")] for words in calls]
    assert [(words, why) for words in plain if (why := wrong(words))] == []


def test_the_documentation_tells_of_every_input_and_uses_no_other():
    document = (TOP / "docs/ci.md").read_text()
    assert all(f"| `{name}` |" in document for name in ACTION["inputs"])
    (example,) = [block for block in blocks(TOP / "docs/ci.md") if block.language == "yaml"]
    used = [step for step in yaml.safe_load(example.text)["jobs"]["test"]["steps"] if "setup-ohmykube" in str(step)]
    assert used[0]["with"].keys() <= ACTION["inputs"].keys()


@pytest.mark.parametrize(("ratio", "code"), [(2.0, 0), (2.29, 0), (2.31, 1)])
def test_the_gate_stops_what_has_become_slower(tmp_path, ratio, code):
    for name, value in (("before", 2.0), ("after", ratio)):
        (tmp_path / name).write_text(json.dumps({"benchmark": "normalise", "ratio": value}) + "\n")
    command = [sys.executable, str(TOP / "benchmarks/gate"), "before", "after"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert ("too much" in done.stdout) == bool(code)
