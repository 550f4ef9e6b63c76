"""init: the file that it writes is the wish that was asked for, and nothing is lost by it."""

import json
import os
import stat
import sys

import pexpect
import pytest

from ohmykube.cli import complete, init
from ohmykube.errors import OhmykubeError
from ohmykube.model.presets import PRESETS, Computer
from ohmykube.providers import lookup
from tests.unit.cli.test_cli import made

GIB = 2**30


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where a person is, on a computer of a known size where Lima works."""
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.setattr(init, "this_computer", lambda: Computer(8, 32 * GIB))
    monkeypatch.setattr(lookup, "choose", lambda: ("lima", ""))
    return path


def data(answer):
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)["data"]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_file_is_the_wish(run, folder, preset):
    cni = "flannel" if preset == "storage" else "none"
    flags = ("--master-cpu", 3, "--workers", 4, "--cni", cni, "--lb", "none", "--enable-swap", "--worker-disk", 12)
    made = data(run("init", "--preset", preset, "--name", "dev", *flags, "-o", "json"))
    assert (made["name"], made["file"], made["profile"]) == ("dev", "dev.yaml", None)
    assert data(run("config", "show", "-f", "dev.yaml", "-o", "json"))["cluster"] == made["cluster"]
    spec = made["cluster"]["spec"]
    assert (spec["controlPlane"]["count"], spec["controlPlane"]["cpu"]) == (PRESETS[preset].planes, 3)
    assert (spec["workers"][0]["count"], spec["workers"][0]["disk"]) == (4, "12GiB")
    assert bool(spec["workers"][0]["disks"]) == (preset == "storage")
    assert (spec["storage"]["csi"] == "rook-ceph") == (preset == "storage")
    assert (spec["network"]["cni"], spec["swap"]) == (cni, True)
    assert [path.name for path in folder.iterdir()] == ["dev.yaml"]


def test_by_default_it_is_cluster_yaml_and_says_what_to_type_next(run, folder):
    code, out, err = run("init")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "cluster.yaml describes the cluster ohmykube: Kubernetes v1.36.4, provider lima",
        "  1 control plane  2 CPUs, 4GiB memory, 20GiB disk",
        "  2 workers        2 CPUs, 4GiB memory, 10GiB disk",
        "Next: ohmykube up -f cluster.yaml",
    ]
    assert not (folder / "cluster.yaml").read_text().count("$schema")


def test_a_dash_is_stdout(run, folder):
    code, out, _ = run("init", "--preset", "tiny", "-f", "-")
    assert code == 0
    assert list(folder.iterdir()) == []
    (folder / "own.yaml").write_text(out)
    assert data(run("config", "validate", "-f", "own.yaml", "-o", "json"))["machines"] == ["ohmykube-control-plane-1"]


def test_a_file_that_is_there_is_kept_unless_forced(run, folder):
    (folder / "cluster.yaml").write_text("mine\n")
    for answer in (run("init"), run("init", "--yes"), run("init", "--save-profile", "big")):
        assert answer[0] == 2
        assert "cluster.yaml is there already" in answer[2]
    assert (folder / "cluster.yaml").read_text() == "mine\n"
    assert run("init", "--profile", "big")[0] == 2  # nothing was half done
    assert run("init", "--force")[0] == 0
    assert "kind: Cluster" in (folder / "cluster.yaml").read_text()


def test_profiles_begin_others(run, folder, home):
    flags = ("--preset", "ha", "--master-memory", 3, "--workers", 5)
    code, out, _ = run("init", *flags, "--name", "one", "--save-profile", "big")
    assert code == 0
    assert "`ohmykube init --profile big` begins with it" in out
    kept = home / "profiles" / "big.yaml"
    assert (complete.profiles(None, None, "b"), complete.profiles(None, None, "x")) == (["big"], [])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    first = data(run("config", "show", "-f", "one.yaml", "-o", "json"))["cluster"]
    second = data(run("init", "--profile", "big", "--name", "two", "--workers", 6, "-o", "json"))["cluster"]
    assert second["spec"]["workers"][0].pop("count") == 6
    assert first["spec"]["workers"][0].pop("count") == 5
    assert (second["spec"], second["metadata"]) == (first["spec"], {"name": "two"})
    assert "big.yaml is there already" in run("init", "--save-profile", "big", "-f", "three.yaml")[2]
    assert not (folder / "three.yaml").exists()
    assert "did you mean 'big'" in run("init", "--profile", "bigg", "-f", "-")[2]
    assert "no valid name" in run("init", "--profile", "../big", "-f", "-")[2]
    assert "leave one out" in run("init", "--profile", "big", "--preset", "ha")[2]


def test_files_that_a_profile_names_are_found_from_anywhere(run, folder):
    (folder / "motd").write_text("hello\n")
    (folder / "kubeadm.yaml").write_text("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n")
    (folder / "own.yaml").write_text(
        "metadata: {name: dev}\nspec: {provider: lima, files: [{path: /etc/motd, source: motd}]}\n"
    )
    (folder / "elsewhere").mkdir()
    assert run("init", "--kubeadm-config", "kubeadm.yaml", "-f", "elsewhere/a.yaml")[0] == 0
    assert str(folder / "kubeadm.yaml") in (folder / "elsewhere/a.yaml").read_text()
    assert run("config", "validate", "-f", "elsewhere/a.yaml")[0] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--workers", "-1"), "(--workers)"),
        (("--masters", "2"), "1 or 3"),
        (("--name", "Dev"), "no valid name"),
        (("--provider", "limo"), "did you mean 'lima'"),
        (("--k8s-version", "1.2.3"), "not in the catalogue"),
        (("--provider", "static"), "nobody but you knows the addresses"),
        (("--preset", "storage", "--provider", "nspawn"), "cannot have disks"),
        (("--master-memory", "much"), "is no size"),
        (("--preset", "huge"), "huge"),
        (("-f", "nowhere/a.yaml"), "nowhere/a.yaml cannot be written: No such file or directory"),
    ],
)
def test_what_up_would_refuse_is_not_written(run, folder, args, words):
    code, out, err = run("init", *args)
    assert code == 2
    assert words in err
    assert (out, list(folder.iterdir())) == ("", [])


def test_a_computer_that_is_too_small_says_so(run, folder, monkeypatch):
    monkeypatch.setattr(init, "this_computer", lambda: Computer(4, 4 * GIB))
    code, _, err = run("init", "--preset", "ha")
    assert (code, list(folder.iterdir())) == (2, [])
    assert "ha: 5 machines need 8.0 GiB of memory at least; this computer has 4.0 GiB" in err
    assert "--preset tiny fits" in err
    code, _, err = run("init", "--preset", "ha", "--master-memory", 4, "--worker-memory", 2)
    assert code == 0
    assert "its machines get 16.0 GiB of memory, and this computer has 4.0 GiB" in err


def test_without_a_usable_provider_it_is_for_another_computer(run, folder, monkeypatch):
    def choose():
        raise OhmykubeError("provider.none", "no provider is usable here")

    monkeypatch.setattr(lookup, "choose", choose)
    code, _, err = run("init")
    assert code == 0
    assert "no provider is usable here" in err
    assert "  provider: lima " in (folder / "cluster.yaml").read_text()


def test_a_cluster_of_that_name_is_mentioned_and_no_ground(run, folder):
    made("dev")
    code, out, _ = run("init", "--name", "dev", "--preset", "tiny")
    assert code == 0
    assert "There is a cluster dev: `ohmykube plan -f dev.yaml`" in out
    assert "  provider: lima " in (folder / "dev.yaml").read_text()


@pytest.fixture
def terminal(folder):
    """terminal("--force") → init on a terminal of its own."""
    begun = []

    def begin(*args):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80"}
        child = pexpect.spawn(
            sys.executable, ["-m", "ohmykube", "init", *args], env=environment, timeout=30, encoding="utf-8", echo=False
        )
        begun.append(child)
        return child

    yield begin
    for child in begun:
        child.close(force=True)


def ended(child):
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_on_a_terminal_it_asks(run, terminal, folder):
    child = terminal()
    child.expect_exact("Name of the cluster [ohmykube]: ")
    child.sendline("Dev")
    child.expect("no valid name")
    child.expect_exact("Name of the cluster [ohmykube]: ")
    child.sendline("dev")
    child.expect(r"Provider of machines \(lima, nspawn\) \[\w+\]: ")
    child.sendline("lima")
    child.expect("PRESET +MACHINES +MEMORY")
    child.expect(r"Preset \(tiny.*\]: ")
    child.sendline("tiny")
    child.expect_exact("Workers [0]: ")
    child.sendline("1")
    child.expect(r"Kubernetes version \[v1\.[\d.]+\]: ")
    child.sendline("1.0.0")
    child.expect("not in the catalogue")
    child.expect(r"Kubernetes version \[v1\.[\d.]+\]: ")
    child.sendline("")
    child.expect_exact("Next: ohmykube up -f dev.yaml")
    assert ended(child) == 0
    validated = data(run("config", "validate", "-f", "dev.yaml", "-o", "json"))
    assert validated["machines"] == ["dev-control-plane-1", "dev-worker-1"]


def test_what_flags_say_is_not_asked(terminal, folder):
    words = ("--preset", "tiny", "--provider", "lima", "--workers", "0", "--k8s-version", "v1.36.4")
    child = terminal("--name", "dev", *words)
    assert ended(child) == 0
    assert (folder / "dev.yaml").exists()
    child = terminal("--name", "dev", *words)
    child.expect_exact("dev.yaml is there already. Write over it? [y/N]: ")
    child.sendline("n")
    child.expect_exact("nothing was done")
    assert ended(child) == 130
    child = terminal("--yes", "--name", "other")
    assert ended(child) in (0, 2)  # whatever this computer's size, there is no question


def test_ctrl_c_leaves_nothing(terminal, folder):
    child = terminal()
    child.expect_exact("Name of the cluster [ohmykube]: ")
    child.sendline("dev")
    child.expect("Provider of machines")
    for _ in range(6):  # Python hears it late where it comes just before it reads from the terminal
        child.sendintr()
        child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=5)
        if child.after is pexpect.EOF:
            break
    child.close()
    assert child.exitstatus == 130
    assert list(folder.iterdir()) == []
    assert "nothing was done" in child.before
    assert "Traceback" not in child.before
