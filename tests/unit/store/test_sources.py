"""What a wish names is kept: what becomes of the user's own file is not noticed before the next `up`."""

import stat
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read

from ohmykube.cli.paths import resolved
from ohmykube.model import load
from ohmykube.model.document import parse
from ohmykube.model.problem import Problem
from ohmykube.model.spec import Cluster
from ohmykube.store import sources

TEXT = """
spec:
  provider: lima
  kubernetesVersion: v1.36.4
  hooks: {preSystem: [{name: one, file: script}, {name: two, script: "true"}]}
  workers: [{name: worker, files: [{path: /opt/tree, source: tree}, {path: /etc/motd, content: ""}]}]
"""


def wish(folder: Path) -> Cluster:
    cluster = load.build("dev", document=parse(TEXT, "f"), defaults={}, supported_versions=("v1.36.4",))
    problems: list[Problem] = []
    made = resolved(folder, cluster, problems)
    assert problems == []
    return made


def test_copies_are_named_and_stay_as_long_as_they_are(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "run").write_text("x")
    (tmp_path / "tree" / "deep" / "run").chmod(0o755)
    (tmp_path / "tree").chmod(0o555)
    (tmp_path / "script").write_text("echo one\n")
    before = wish(tmp_path)
    cluster = sources.keep(before, kept)

    hook, plain = cluster.spec.hooks.pre_system
    tree = cluster.spec.workers[0].files[0]
    assert Path(hook.file).read_text() == "echo one\n"
    assert plain == before.spec.hooks.pre_system[1]
    assert read(Path(tree.source)).sum == tree.sum == before.spec.workers[0].files[0].sum
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.rglob("*")} == {0o700, 0o600}

    # Who reads the copies finds what the wish says, and keeps them as they are.
    again = resolved(tmp_path, cluster, [])
    assert again == cluster == sources.keep(again, kept)

    (tmp_path / "script").write_text("echo two\n")
    changed = sources.keep(wish(tmp_path), kept)
    assert changed.spec.hooks.pre_system[0].file != hook.file
    assert len(list(kept.iterdir())) == 3
    sources.forget(changed, kept)
    assert not Path(hook.file).exists()
    assert {path.name for path in kept.iterdir()} == {changed.spec.hooks.pre_system[0].sum, tree.sum}


def test_a_cluster_that_names_none_has_no_folder(tmp_path: Path) -> None:
    defaults = {("spec", "provider"): "lima", ("spec", "kubernetesVersion"): "v1.36.4"}
    cluster = load.build("dev", document=None, defaults=defaults, supported_versions=("v1.36.4",))
    assert sources.keep(cluster, tmp_path / "kept") == cluster
    sources.forget(cluster, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
