"""Add-ons as people meet them: enabled by name or folder, in cluster files, and taken out again."""

import json

import pytest
import yaml

from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.store.state import State
from tests.unit.cli.test_cli import made, write
from tests.unit.cli.test_planes import ONE, WORKERS, World

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello, namespace: default}\n"


@pytest.fixture(name="world")
def make_world(monkeypatch, home):
    world = World(made("dev", provider="fake", hosts=[]))
    world.folder.write_state(State("dev", "fake", ready="2026-01-01T00:00:00+00:00"))
    (home / "current").write_text("dev\n")
    monkeypatch.setattr(Session, "context", lambda *args, **options: world.context(*args, **options))
    return world


@pytest.fixture
def hello(tmp_path):
    """A folder of the user's own that requires what is built in."""
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "addon.yml").write_text("version: v1\nrequires: [metrics-server]\n")
    (folder / "config.yml").write_text(CONFIG)
    return folder


def told(answer, code=0):
    assert answer[0] == code, answer[1] + answer[2]
    return json.loads(answer[1])


def problem(answer, code=2):
    (error,) = told(answer, code)["errors"]
    return error


def wish(world):
    return [each["name"] for each in yaml.safe_load(world.folder.spec_file.read_text())["spec"].get("addons", [])]


def test_an_address_outside_of_the_clusters_services_is_refused(run, tmp_path):
    """The API server would say so when all else is done."""
    file = tmp_path / "dev.yaml"
    for cidr, wanted in (("10.64.0.0/12", 2), ("10.96.0.0/16", 0), ("nonsense", 2)):
        write(file, provider="nspawn", addons=["registry-mirror"], network={"serviceCIDR": cidr})
        code, _, err = run("config", "validate", "-f", file)
        assert (code, "internal" in err) == (wanted, False), err
        words = (
            "the Service registry-mirror of registry-mirror has the address 10.96.0.50, which is not in 10.64.0.0/12"
        )
        assert (words in err) == ("64" in cidr)


def test_enabled_twice_and_disabled(run, world):
    data = told(run("addon", "enable", "metrics-server", "-o", "json"))["data"]
    assert (data["enabled"], data["changed"], data["addons"]) == (["metrics-server"], True, ["metrics-server"])
    assert wish(world) == ["metrics-server"]
    assert world.playbooks.ran == ["addon"]
    assert world.playbooks.told == ({"addon_force": False}, [ONE, *WORKERS])
    again = told(run("addon", "enable", "metrics-server", "-o", "json"))["data"]
    assert (again["enabled"], again["changed"]) == ([], False)
    data = told(run("addon", "disable", "metrics-server", "--force", "-o", "json"))["data"]
    assert data["disabled"] == ["metrics-server"]
    assert wish(world) == []
    assert world.playbooks.told[0] == {"addon_force": True}
    assert world.folder.read_state().addons == ()
    assert told(run("addon", "disable", "metrics-server", "-o", "json"))["data"]["disabled"] == []


def test_a_folder_brings_what_it_requires_and_is_not_needed_afterwards(run, world, hello):
    assert told(run("addon", "enable", f"{hello}/", "-o", "json"))["data"]["enabled"] == ["hello", "metrics-server"]
    (hello / "addon.yml").unlink()
    rows = told(run("addon", "list", "-o", "json"))["data"]
    assert [(row["name"], row["version"], row["enabled"], row["source"]) for row in rows if row["enabled"]] == [
        ("hello", "v1", True, "own"),
        ("metrics-server", "v0.9.0", True, "built in"),
    ]
    error = problem(run("addon", "disable", "metrics-server", "-o", "json"))
    assert (error["code"], error["message"]) == ("addon.required", "metrics-server is required by hello")
    assert "addon disable metrics-server hello" in error["hint"]
    assert wish(world) == ["hello", "metrics-server"]
    told(run("addon", "disable", "metrics-server", "hello", "-o", "json"))
    assert wish(world) == []


def test_what_fails_is_not_enabled_and_is_known_to_be_perhaps_there(run, world):
    world.playbooks.fails = OhmykubeError("task.failed", "not ready")
    assert problem(run("addon", "enable", "metrics-server", "-o", "json"), code=1)["message"] == "not ready"
    assert wish(world) == []
    assert world.folder.read_state().addons == ("metrics-server",)
    world.playbooks.fails = None
    data = told(run("addon", "disable", "metrics-server", "-o", "json"))["data"]
    assert (data["disabled"], world.folder.read_state().addons) == (["metrics-server"], ())


def test_what_fails_to_go_is_still_enabled(run, world):
    told(run("addon", "enable", "metrics-server", "-o", "json"))
    world.playbooks.fails = OhmykubeError("addon.in-use", "with it would go: Cert/a")
    assert problem(run("addon", "disable", "metrics-server", "-o", "json"), code=1)["code"] == "addon.in-use"
    assert wish(world) == ["metrics-server"]


def test_the_network_of_a_cluster_stays_with_it(run, world):
    told(run("addon", "enable", "metrics-server", "-o", "json"))
    stored = yaml.safe_load(world.folder.spec_file.read_text())
    stored["spec"]["network"]["cni"] = "metrics-server"
    world.folder.spec_file.write_text(yaml.safe_dump(stored))
    error = problem(run("addon", "disable", "metrics-server", "-o", "json"))
    assert (error["code"], error["message"]) == ("addon.required", "metrics-server is the cluster's pod network")
    assert wish(world) == ["metrics-server"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("enable", "metric-server"), "addon.unknown", "did you mean 'metrics-server'?"),
        (("enable", "./nowhere"), "addon.unreadable", "nowhere"),
        (("enable", "./Bad"), "addon.invalid", "in a cluster file it can have another name"),
        (("disable", "metric-server"), "addon.unknown", "did you mean 'metrics-server'?"),
    ],
)
def test_slips_of_the_pen_change_nothing(run, world, words, code, said):
    error = problem(run("addon", *words, "-o", "json"))
    assert error["code"] == code
    assert said in error["message"] + error["hint"]
    assert world.playbooks.ran == []


def test_a_cluster_that_is_off_or_was_never_ready_is_left_alone(run, world):
    world.lose(ONE)
    assert problem(run("addon", "enable", "metrics-server", "-o", "json"), code=1)["code"] == "addon.no-plane"
    assert wish(world) == []
    world.folder.write_state(State("dev", "fake"))
    assert problem(run("addon", "enable", "metrics-server", "-o", "json"), code=1)["code"] == "cluster.unfinished"


def test_status_is_what_the_api_server_says(run, world, monkeypatch):
    said = {"metrics-server": {"version": "v0.9.0", "missing": ["Deployment a/b: 0 of 1 available"]}}
    monkeypatch.setattr("ohmykube.nodes.ask", lambda *_, **__: {"addons": said})
    told(run("addon", "enable", "metrics-server", "-o", "json"))
    data = told(run("addon", "status", "-o", "json"))["data"]
    assert not data["ready"]
    assert data["addons"][0]["status"] == "not ready"
    assert "metrics-server: Deployment a/b: 0 of 1 available" in run("addon", "status")[1]
    said["metrics-server"]["missing"] = []
    assert told(run("addon", "status", "-o", "json"))["data"]["ready"]
    said["old"] = {"version": "", "missing": []}
    assert [row["status"] for row in told(run("addon", "status", "-o", "json"))["data"]["addons"]] == [
        "ready",
        "left over",
    ]
    said.clear()
    assert "metrics-server: it is not in the cluster" in run("addon", "status")[1]
    world.lose(ONE)
    data = told(run("addon", "status", "-o", "json"))["data"]
    assert (data["ready"], data["problem"]) == (False, "no control plane runs")


def test_without_a_cluster_the_built_in_ones_are_listed(run, home):
    rows = told(run("addon", "list", "-o", "json"))["data"]
    assert {row["name"] for row in rows} >= {"cert-manager", "contour", "headlamp", "metrics-server"}
    assert not any(row["enabled"] for row in rows)


def test_a_cluster_file_names_them(run, tmp_path, hello):
    file = write(tmp_path / "dev.yaml", provider="nspawn", addons=[{"name": "mine", "path": "hello"}])
    data = told(run("config", "show", "-f", file, "-o", "json"))["data"]
    mine, required = data["cluster"]["spec"]["addons"]
    assert (mine, required) == ({"name": "mine", "path": str(hello)}, {"name": "metrics-server", "path": ""})
    assert data["origins"]["spec.addons.0.name"].startswith(f"{file}:")
    assert data["origins"]["spec.addons.1.name"] == "default"
    write(file, provider="nspawn", addons=["metrics-server"])
    assert "- name: metrics-server" in run("config", "show", "-f", file)[1]


def test_every_problem_of_them_is_told_at_once_with_its_place(run, tmp_path, hello):
    (hello / "addon.yml").write_text("requires: [nowhere]\nversoin: 1")
    addons = [
        "metric-server",
        {"name": "mine", "path": "hello"},
        "metrics-server",
        "metrics-server",
        {"name": "x", "path": "no"},
    ]
    file = write(tmp_path / "dev.yaml", provider="nspawn", addons=addons)
    errors = told(run("config", "validate", "-f", file, "-o", "json"), code=2)["errors"]
    words = "\n".join(f"{error['context']['path']}: {error['message']} {error['hint']}" for error in errors)
    assert "spec.addons.0.name" in words
    assert "did you mean 'metrics-server'?" in words
    assert f"{hello}/addon.yml:2: versoin is no known key" in words
    assert "spec.addons.3.name" in words
    assert "spec.addons.4.path" in words
    (hello / "addon.yml").write_text("requires: [nowhere]")
    write(file, provider="nspawn", addons=[{"name": "mine", "path": "hello"}])
    (error,) = told(run("config", "validate", "-f", file, "-o", "json"), code=2)["errors"]
    assert "mine requires 'nowhere'" in error["message"]
