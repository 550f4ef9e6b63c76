"""cache verify, stats and prune, as scripts and people meet them."""

import json

from ohmykube.store.home import Home
from ohmykube.store.machine_images import MachineImages
from tests.unit.cli.caches import ARCH, data, flip, grow_old, packages


def test_verify(run, catalogue, home):
    assert run("cache", "verify")[1] == "0 files are whole.\n"
    run("cache", "pull", "tool", "kubeadm")
    assert run("cache", "verify")[:2] == (0, "2 files are whole.\n")
    flip(next(packages(home).glob("tool-*")))
    code, out, err = run("cache", "verify", "-o", "json")
    answer = json.loads(out)
    assert (code, answer["status"]) == (3, "partial")
    assert [row["state"] for row in answer["data"]] == ["whole", "its sum is wrong"]
    assert [error["code"] for error in answer["errors"]] == ["cache.damaged"]
    assert "tool v2.0.0" in err
    assert run("cache", "verify")[0] == 0
    assert [row["component"] for row in data(run("cache", "list", "-o", "json"))] == ["kubeadm"]


def test_stats(run, catalogue, home):
    run("cache", "pull", "tool", "flannel")
    (packages(home) / "work" / "x.part").write_bytes(b"12345")
    rows = {row["kind"]: row for row in data(run("cache", "stats", "-o", "json"))}
    assert {kind: row["entries"] for kind, row in rows.items()} == {
        "package": 1,
        "file": 1,
        "image": 0,
        "machine": 0,
        "unfinished": 1,
        "unknown": 0,
        "total": 3,
    }
    assert rows["file"]["bytes"] == len("flannel") * 1000
    assert rows["total"]["bytes"] == sum(row["bytes"] for kind, row in rows.items() if kind != "total")
    assert run("cache", "stats")[1].splitlines()[0].split() == ["KIND", "ENTRIES", "SIZE"]


def test_prune_leaves_what_was_just_used(run, catalogue, home):
    run("cache", "pull", "tool", "tool@v1.0.0")
    answer = data(run("cache", "prune", "--max-size", "0", "-o", "json"))
    assert (answer["removed"], len(answer["inUse"])) == ([], 2)
    assert "used within the last hour" in run("cache", "prune", "--max-size", "0")[1]
    grow_old(home)
    code, out, _ = run("cache", "prune", "--max-size", "0")
    assert code == 0
    assert out.splitlines()[-1].startswith("Removed 2 files")
    assert data(run("cache", "list", "-o", "json")) == []


def test_prune_of_what_no_cluster_uses(run, catalogue, home):
    folder = Home.from_environment().cluster("old")
    folder.make()
    folder.write_spec(
        {
            "apiVersion": "ohmykube.dev/v1",
            "kind": "Cluster",
            "metadata": {"name": "old"},
            "spec": {"kubernetesVersion": "v1.35.8", "provider": "nspawn"},
        }
    )
    run("cache", "pull", "tool", "tool@v1.0.0", "kubeadm")
    grow_old(home)
    answer = data(run("cache", "prune", "--unused", "-o", "json"))
    assert [row["name"] for row in answer["removed"]] == [f"tool v1.0.0 ({ARCH})"]


def test_prune_by_days(run, catalogue, home):
    run("cache", "pull", "tool")
    grow_old(home)
    assert data(run("cache", "prune", "--keep-days", "3", "-o", "json"))["removed"] == []
    assert len(data(run("cache", "prune", "--keep-days", "1", "-o", "json"))["removed"]) == 1


def test_machine_images_go_first_and_not_while_a_machine_reads_them(run, home, catalogue):
    def bake(name, size):
        with MachineImages(home / "cache/machines").adding(name, "0" * 64) as folder:
            (folder / "disk").write_bytes(b"x" * size)

    data(run("cache", "pull", "tool", "-o", "json"))
    bake("old", 1 << 20)
    bake("new", 1 << 20)
    counts = {row["kind"]: row["entries"] for row in data(run("cache", "stats", "-o", "json"))}
    assert (counts["machine"], counts["package"]) == (2, 1)
    link = home / "clusters/dev/machines/dev-1/image"
    link.parent.mkdir(parents=True)
    link.symlink_to(MachineImages(home / "cache/machines").find("new", "0" * 64))

    removed = data(run("cache", "prune", "--max-size", "1MiB", "-o", "json"))["removed"]
    assert [row["name"] for row in removed if row["kind"] == "machine"] == ["old"]
    removed = data(run("cache", "prune", "--unused", "-o", "json"))["removed"]
    assert not [row for row in removed if row["kind"] == "machine"]
    link.unlink()
    assert "new" in run("cache", "prune", "--unused")[1]
