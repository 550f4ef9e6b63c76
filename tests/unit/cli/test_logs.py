"""logs: an archive that may be shown to strangers, also of a cluster that cannot be reached."""

import json
import tarfile

import pytest

from tests.unit.cli.test_cli import made


@pytest.fixture
def collect(run, tmp_path):
    """collect() → (exit code, the verb's JSON, texts by name)."""

    def call():
        file = tmp_path / "bug.tgz"
        code, out, err = run("logs", "--name", "dev", str(file), "-o", "json")
        assert out, err
        with tarfile.open(file) as tar:
            texts = {entry.name.partition("/")[2]: tar.extractfile(entry).read().decode() for entry in tar}
        return code, json.loads(out), texts

    return call


def test_a_cluster_that_cannot_be_reached(collect):
    folder = made("dev")
    run = folder.new_run("up") / "artifacts" / "id"
    run.mkdir(parents=True)
    (run / "stdout").write_text("kubeadm join --token abcdef.0123456789abcdef\n")
    code, answer, texts = collect()
    assert (code, answer["status"]) == (3, "partial")
    assert {each["entry"] for each in answer["data"]["missing"]} == {"nodes/cp1", "cluster"}
    assert json.loads(texts["missing.json"]) == answer["data"]["missing"]
    assert {"about.json", "cluster.yaml", "doctor.json"} <= set(texts)
    assert "0123456789abcdef" not in str(texts)
    assert any(finding["code"] == "machine.missing" for finding in json.loads(texts["doctor.json"]))
    assert "ohmykube" in json.loads(texts["about.json"])


def test_a_record_that_is_damaged_ends_nothing(collect):
    folder = made("dev")
    folder.spec_file.write_text("spec: [\n  password: hunter2\n")
    code, answer, texts = collect()
    assert code == 3
    assert "nodes" in {each["entry"] for each in answer["data"]["missing"]}
    assert "hunter2" not in str(texts)
    assert "spec: [" in texts["cluster.yaml"]


def test_a_folder_that_is_not_there(run):
    made("dev")
    code, _, err = run("logs", "--name", "dev", "/nonexistent/bug.tgz")
    assert (code, "[file.unwritable]" in err) == (2, True)
    assert run("logs", "--name", "nowhere")[0] == 2
