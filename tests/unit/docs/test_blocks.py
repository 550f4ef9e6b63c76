"""Every block of code in the documentation: what can run here is run, and what needs more says so and is only parsed.

A console block without a mark is run, line by line, in an empty home. `<!-- needs: cluster -->` above it says why it is
not; its lines must still be commands that there are. Blocks that begin with `# name.yaml` are files for such lines.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from ohmykube.model.schema import schema
from tests.unit.docs.blocks import (
    COLLECTION,
    DOCUMENTS,
    LANGUAGES,
    NEEDS,
    TOP,
    blocks,
    inline,
    invocations,
    misnamed,
    wrong,
)

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
RUN = [block for block in BLOCKS if block.language == "console" and not block.needs]
MISTAKES = TOP / "docs/mistakes.md"  # what people type wrongly, with what we say of it: it has a test of its own
CLUSTER_FILE = "metadata: {name: dev}\nspec:\n  provider: static\n  network: {loadBalancer: none}\n  hosts:\n"
CLUSTER_FILE += "    - {name: cp1, address: 10.77.0.11, role: control-plane}\n"


def test_every_block_says_what_it_is_and_what_it_needs():
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    assert [str(block) for block in BLOCKS if set(block.needs) - NEEDS] == []
    assert [str(block) for block in BLOCKS if block.language == "console" and not block.commands] == []
    assert RUN


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "console"], ids=str)
def test_commands_of_ours_are_ones_that_there_are(block):
    found = [words for command in block.commands for words in invocations(command)]
    assert [(words, why) for words in found if (why := wrong(words))] == []
    assert found or block.needs  # what is not ours is not run


def test_commands_in_the_middle_of_a_sentence_are_ones_that_there_are():
    texts = {str(document): document.read_text() for document in DOCUMENTS if document != MISTAKES}
    assert len([line for text in texts.values() for line in inline(text)]) > 30
    assert misnamed(texts) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ohmykube upp", "No such command"),
        ("FOO=1 ohmykube up --workerz 2 # why", "No such option"),
        ("true && ohmykube up --cni calico", "calico"),
        ("ohmykube cache pul", "No such command"),
        ("ohmykube list extra", "what is extra?"),
    ],
)
def test_a_command_that_is_none_is_found(command, words):
    (found,) = invocations(command)
    assert words in wrong(found)


@pytest.mark.parametrize("block", RUN, ids=str)
def test_what_needs_nothing_runs(block, tmp_path, home):
    folder = tmp_path / "folder"
    (folder / "patches").mkdir(parents=True)
    (folder / "patches/kube-apiserver.yaml").write_text("metadata: {labels: {a: b}}\n")
    for name in ("dev.yaml", "cluster.yaml"):
        (folder / name).write_text(CLUSTER_FILE)
    for other in blocks(block.file):
        first = other.text.partition("\n")[0].removeprefix("# ").split()
        if other.language == "yaml" and first and first[0].endswith((".yaml", ".yml")):
            (folder / first[0]).write_text(other.text)
    program = tmp_path / "bin" / "ohmykube"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ohmykube "$@"\n')
    program.chmod(0o755)
    variables = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(TOP)}
    script = "set -euo pipefail\n" + "\n".join(block.commands)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_cluster_files_and_other_yaml_are_what_they_should_be():
    known = schema()
    for block in BLOCKS:
        if block.language != "yaml":
            continue
        for document in yaml.safe_load_all(block.text):
            if isinstance(document, dict) and "spec" in document and "components" not in document:
                jsonschema.validate(json.loads(json.dumps(document)), known)


def test_the_list_of_documents_is_whole():
    kept = {path for place in (TOP, TOP / "docs", COLLECTION) for path in place.glob("*.md")}
    assert kept - set(DOCUMENTS) <= {COLLECTION / "CHANGELOG.md"}


def test_python_blocks_compile():
    for block in BLOCKS:
        if block.language == "python":
            compile(block.text, str(block), "exec")
            assert Path(block.file).is_relative_to(TOP)
