"""Archives for `cache import` that somebody has made on purpose."""

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from tests.unit.cache.archives import entry, files, hexsum, link, tar
from tests.unit.cache.bundles import exported, imported, refused, state

Edit = Callable[[dict[str, bytes]], object]


def rebuilt(content: bytes, edit: Edit, extra: list[tuple[tarfile.TarInfo, bytes]] | None = None) -> bytes:
    """The archive with its members edited and all sums made right again, as an attacker would."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        parts = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    edit(parts)
    sums = "".join(f"{hexsum(data)}  {name}\n" for name, data in parts.items() if name != "SHA256SUMS")
    parts["SHA256SUMS"] = sums.encode()
    return tar([*(entry(name, data) for name, data in parts.items()), *(extra or [])])


def changed_row(folder: str, number: int = 0, **values: object) -> Edit:
    def edit(parts: dict[str, bytes]) -> None:
        manifest = json.loads(parts["manifest.json"])
        manifest["folders"][folder][number].update(values)
        parts["manifest.json"] = json.dumps(manifest).encode()

    return edit


def other_content(component: str, content: bytes) -> Edit:
    """Another file under a row whose sum and name follow."""

    def edit(parts: dict[str, bytes]) -> None:
        manifest = json.loads(parts["manifest.json"])
        row = next(row for row in manifest["folders"]["packages"] if row["component"] == component)
        del parts[f"packages/{row['file']}"]
        old, row["sha256"], row["size"] = row["sha256"], hexsum(content), len(content)
        row["file"] = row["file"].replace(old[:16], row["sha256"][:16])
        parts[f"packages/{row['file']}"] = content
        parts["manifest.json"] = json.dumps(manifest).encode()

    return edit


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    import zstandard

    return zstandard.compress(tar(entries))


def dropped(name: str) -> Edit:
    return lambda parts: parts.pop(next(each for each in parts if name in each))


HOSTILE: dict[str, tuple[Edit, list[tuple[tarfile.TarInfo, bytes]]]] = {
    "a file outside": (dict, [entry("../evil", b"x")]),
    "an absolute file": (dict, [entry("/tmp/evil", b"x")]),
    "a link": (dict, [link("packages/evil", "../../x")]),
    "a link within": (dict, [link("packages/evil", "x")]),
    "a device": (dict, [entry("packages/evil", type=tarfile.BLKTYPE)]),
    "an unannounced file": (dict, [entry("packages/evil", b"x")]),
    "an unannounced folder's file": (lambda parts: parts.update({"clusters/evil": b"x"}), []),
    "an announced file without a row": (lambda parts: parts.update({"packages/evil": b"x"}), []),
    "a file twice": (dict, [entry("SHA256SUMS", b"")]),
    "a missing file": (lambda parts: dropped("packages/raw")(parts), []),
    "a row that names another folder": (changed_row("packages", file="../images/x"), []),
    "a row that names the index": (changed_row("packages", file="index.json"), []),
    "a row that is no row": (changed_row("packages", size="7"), []),
    "a row of another size": (changed_row("packages", size=7), []),
    "a row that claims other files": (changed_row("packages", 2, files=["etc/shadow"]), []),
    "an original that is another": (changed_row("packages", source_sha256="0" * 64), []),
    "an original of another longer sum": (changed_row("packages", source_sha512="0" * 128), []),
    "a longer sum that is none": (changed_row("packages", source_sha512=7), []),
    "a package with other files": (other_content("t", packed(entry("etc/shadow", b"x"))), []),
    "a package that climbs": (other_content("t", packed(entry("../../etc/shadow", b"x"))), []),
    "a package with a device": (other_content("t", packed(entry("usr/bin/tool", type=tarfile.CHRTYPE))), []),
    "a package that is no archive": (other_content("t", b"nothing"), []),
    "folders that are not ours": (lambda parts: parts.update({"manifest.json": b'{"format":1,"folders":{}}'}), []),
    "a manifest that is none": (lambda parts: parts.update({"manifest.json": b"[]"}), []),
    "a manifest that is not JSON": (lambda parts: parts.update({"manifest.json": b"{"}), []),
    "no manifest": (lambda parts: dropped("manifest.json")(parts), []),
    "nothing": (lambda parts: parts.clear(), []),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_with_all_sums_right(filled: Path, tmp_path: Path, what: str) -> None:
    edit, extra = HOSTILE[what]
    refused(rebuilt(exported(filled), edit, extra), tmp_path / "there")
    refused(rebuilt(exported(filled), edit, extra), filled)


def test_rebuilding_alone_is_no_reason(filled: Path, tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    assert imported(rebuilt(exported(filled), dict), tmp_path / "there")


def test_what_is_no_export(tmp_path: Path) -> None:
    for content in (b"", os.urandom(3000), tar([entry("a", b"1")]), files({"a": b"1"}, "tar.gz")):
        refused(content, tmp_path / "there")


def test_of_a_newer_version(filled: Path, tmp_path: Path) -> None:
    def newer(parts: dict[str, bytes]) -> None:
        parts["manifest.json"] = b'{"format": 2, "folders": "of another form"}'

    with pytest.raises(OhmykubeError) as caught:
        imported(rebuilt(exported(filled), newer), tmp_path / "there")
    assert caught.value.code == "cache.import-newer"
    assert "Update" in caught.value.hint
    assert state(tmp_path / "there") == {}
