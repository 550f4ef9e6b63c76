"""The command line as scripts and people meet it: exit codes, one JSON object, messages with a hint, no traceback."""

import json
import os
import subprocess
import sys
import threading

import pytest
import yaml

from ohmykube.cli import ALIASES, VERBS, output
from ohmykube.cli.settings import Settings
from ohmykube.phases.base import Event
from ohmykube.store.home import Home


def made(name="dev", **spec):
    """A cluster file in the home, as `up` leaves it."""
    folder = Home.from_environment().cluster(name)
    folder.make()
    cluster = {
        "apiVersion": "ohmykube.dev/v1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {
            "kubernetesVersion": "v1.36.4",
            "provider": "static",
            "hosts": [{"name": "cp1", "address": "127.0.0.1", "role": "control-plane"}],
            "network": {"loadBalancer": "none"},
            "ssh": {"identityFile": "/nonexistent", "port": 1},
            **spec,
        },
    }
    folder.write_spec(cluster)
    return folder


def write(path, **spec):
    path.write_text(
        yaml.safe_dump({"apiVersion": "ohmykube.dev/v1", "kind": "Cluster", "metadata": {"name": "dev"}, "spec": spec})
    )
    return path


def test_every_verb_has_help_with_an_example(run):
    groups = {
        "image": ("list", "add", "pull", "rm", "export"),
        "cache": ("list",),
        "config": ("show", "validate", "schema"),
        "addon": ("list", "enable", "disable", "status"),
    }
    for verb in [*VERBS, *ALIASES]:
        code, out, _ = run(verb, "--help")
        assert code == 0
        if verb in groups:
            for sub in groups[verb]:
                assert "Examples:" in run(verb, sub, "--help")[1]
        else:
            assert "Examples:" in out, verb


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["upp"], "did you mean 'up'"),
        (["up", "--workerz", "2"], "--workers"),
        (["up", "--workers", "many"], "not a valid integer"),
        (["up", "--cni", "calico"], "calico"),
        (["up", "--name", "cache"], "reserved"),
        (["up", "--name", "../x"], "no valid name"),
        (["up", "--name", "Dev"], "no valid name"),
        (["up", "--provider", "static"], "needs the machines' addresses"),
        (["up", "--provider", "limo"], "did you mean 'lima'"),
        (["up", "--provider", "nspawn", "--master-memory", "1"], "1700MiB"),
        (["up", "--provider", "nspawn", "--k8s-version", "v1.12.0"], "not in the catalogue"),
        (["up", "--provider", "nspawn", "--workers", "-1"], "(--workers)"),
        (["up", "--provider", "nspawn", "--kubeadm-config", "nowhere.yaml"], "no such file"),
        (["up", "-f", "nowhere.yaml"], "nowhere.yaml"),
        (["up", "--catalogue", "nowhere.yaml"], "nowhere.yaml"),
        (["down", "--name", "../x"], "no valid name"),
        (["image", "add", "nowhere.tar"], "nowhere.tar"),
    ],
)
def test_wrong_usage_exits_2_with_one_message_and_changes_nothing(run, home, args, words):
    code, out, err = run(*args)
    assert code == 2, err
    assert words in err
    assert "Traceback" not in err
    assert out == ""
    assert not (home / "clusters").exists() or not list((home / "clusters").iterdir())


def test_all_problems_of_a_file_are_listed_with_their_lines(run, tmp_path):
    file = tmp_path / "dev.yaml"
    file.write_text(
        "metadata: {name: dev}\nspec:\n  provider: nspawn\n  workerz: 1\n  controlPlane: {count: 0}\n  swap: 7\n"
    )
    code, _, err = run("up", "-f", file)
    assert code == 2
    assert "dev.yaml:4" in err
    assert "dev.yaml:5" in err
    assert "dev.yaml:6" in err


def test_json_is_one_object_for_success_and_error(run):
    code, out, _ = run("list", "-o", "json")
    assert code == 0
    assert json.loads(out) == {
        "apiVersion": "ohmykube.dev/v1",
        "command": "list",
        "status": "ok",
        "data": [],
        "errors": [],
    }
    code, out, _ = run("status", "-o", "json", "--name", "nope")
    answer = json.loads(out)
    assert code == 2
    assert (answer["status"], answer["command"]) == ("error", "status")
    assert answer["errors"][0].keys() == {"code", "message", "hint", "context"}
    assert answer["errors"][0]["code"] == "cluster.unknown"
    code, out, _ = run("-o", "json", "up", "--cni", "calico")
    assert (code, json.loads(out)["errors"][0]["code"]) == (2, "cli.usage")


def test_flags_before_the_verb_count_and_win_over_the_environment(run, monkeypatch):
    made("dev")
    monkeypatch.setenv("OHMYKUBE_NAME", "other")
    assert "there is no cluster 'other'" in run("kubeconfig")[2]
    assert "dev has no kubeconfig yet" in run("--name", "dev", "kubeconfig")[2]
    assert "dev has no kubeconfig yet" in run("kubeconfig", "--name", "dev")[2]


def test_environment_counts_for_the_flags_of_a_verb(run, monkeypatch):
    monkeypatch.setenv("OHMYKUBE_MASTER_MEMORY", "1")
    assert "(OHMYKUBE_MASTER_MEMORY)" in run("up", "--provider", "nspawn")[2]


def test_kubeconfig_is_printed_and_merged(run, tmp_path, monkeypatch):
    folder = made("dev")
    text = yaml.safe_dump(
        {"kind": "Config", "clusters": [{"name": "dev"}], "users": [], "contexts": [], "current-context": "dev"}
    )
    folder.kubeconfig.write_text(text)
    assert run("kubeconfig", "--name", "dev")[1] == text
    assert run("download-kubeconfig", "--name", "dev")[1] == text
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    code, out, _ = run("kubeconfig", "--merge", "--name", "dev", "-o", "json")
    assert (code, json.loads(out)["data"]["changed"]) == (0, True)
    assert yaml.safe_load((tmp_path / "mine").read_text())["current-context"] == "dev"


def test_list_asks_the_provider_and_survives_a_broken_cluster(run):
    made("dev")
    made("old", workerz=1)
    code, out, _ = run("list", "-o", "json")
    rows = {row["name"]: row for row in json.loads(out)["data"]}
    assert code == 0
    assert rows["dev"]["status"] == "unfinished"
    assert rows["old"]["status"] == "spec.invalid"


def test_status_says_why_nothing_is_known(run):
    made("dev")
    code, out, _ = run("status", "--name", "dev", "-o", "json")
    data = json.loads(out)["data"]
    assert code == 0
    assert not data["ready"]
    assert data["problem"]


def test_shell_on_a_machine_that_does_not_exist_suggests_one(run):
    made("dev")
    code, _, err = run("shell", "--name", "dev", "cp2")
    assert code == 2
    assert "no machine 'cp2'" in err


def test_down_of_a_cluster_that_is_not_there_is_done(run):
    made("dev")
    code, out, _ = run("down", "--name", "nope", "--yes")
    assert code == 0
    assert "There is no cluster nope; there is: dev" in out


def test_up_that_fails_its_preflight_leaves_no_folder(run, home, tmp_path):
    file = write(
        tmp_path / "dev.yaml",
        provider="static",
        hosts=[{"name": "cp1", "address": "127.0.0.1", "role": "control-plane"}],
        network={"loadBalancer": "none"},
        ssh={"identityFile": str(tmp_path / "no-key"), "port": 1},
    )
    code, _, err = run("up", "--offline", "-f", file)
    assert code == 1
    assert "not in the cache" in err
    assert not (home / "clusters" / "dev").exists()


def test_version_and_empty_caches(run):
    code, out, _ = run("version", "-o", "json")
    assert code == 0
    assert json.loads(out)["data"]["kubernetes"].startswith("v1.")
    assert "No image is kept" in run("image", "list")[1]
    assert "No package is kept" in run("cache", "list")[1]


def test_an_empty_or_corrupt_archive_is_refused_and_nothing_is_kept(run, tmp_path):
    archive = tmp_path / "app.tar"
    archive.write_bytes(b"not a tar" * 100)
    code, _, err = run("image", "add", archive)
    assert code == 1
    assert "app.tar" in err
    assert json.loads(run("image", "list", "-o", "json")[1])["data"] == []


def test_progress_as_json_is_one_event_a_line(run, tmp_path):
    file = write(tmp_path / "dev.yaml", provider="nspawn", kubernetesVersion="v1.36.4")
    _, _, err = run("up", "--offline", "--progress", "json", "-f", file)
    events = [json.loads(line) for line in err.splitlines()]
    assert [event["kind"] for event in events][:2] == ["start", "fail"]
    assert events[-1]["kind"] == "error"


@pytest.mark.parametrize("wanted", [True, False])
def test_progress_has_colours_unless_somebody_wants_none(capsys, monkeypatch, wanted):
    """It is told by threads, too, which have no part in click's context."""
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    settings = Settings(None, "table", "text", 0, False, False, not wanted, False, (), 8, False)
    with output.progress(settings) as tell:
        thread = threading.Thread(target=tell, args=(Event("done", "machines", seconds=1.0),))
        thread.start()
        thread.join()
    assert ("\x1b[32m✓\x1b[0m machines" in capsys.readouterr().err) == wanted


def test_help_needs_no_heavy_import():
    code = (
        "import sys; from ohmykube.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    assert not {"pydantic", "yaml", "rich", "ansible_runner", "zstandard", "jinja2"} & set(loaded.split())


@pytest.mark.parametrize("spec", ["", "spec: []", "spec: {provider: nspawn}", "spec: {provider: 3}", "spec: [", "\t"])
def test_a_damaged_cluster_file_costs_its_row_alone(run, spec):
    made("good", provider="nspawn", hosts=[], ssh={}, network={})
    made("bad").spec_file.write_text(f"{spec}\n")
    code, out, err = run("list", "-o", "json")
    assert (code, err) == (0, "")
    bad, good = json.loads(out)["data"]
    assert (bad["name"], good["name"], good["status"]) == ("bad", "good", "unfinished")
    assert "." in bad["status"]  # the error's code
