"""The index of the package cache: damaged, older, newer, and with more or less in it."""

import json
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from tests.unit.cache.archives import artifact, hexsum
from tests.unit.cache.packages import TOOL, cache_recipe
from tests.unit.cache.server import Server


class TestIndex:
    def test_an_empty_cache_makes_no_folder(self, cache: Cache, root: Path) -> None:
        assert cache.entries() == []
        assert cache.find(artifact("https://x/y")) is None
        assert not root.exists()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            '{"format": 1}',
            '{"format": 0, "entries": []}',
            '{"format": 1, "entries": "abc"}',
            '{"format": 1, "entries": [7]}',
            '{"format": 1, "entries": [{"file": "../x", "sha256": "", "size": 1}]}',
            '{"format": 1, "entries": [{"file": "x", "sha256": "", "size": "1"}]}',
        ],
    )
    def test_damaged(self, cache: Cache, root: Path, text: str) -> None:
        root.mkdir(parents=True)
        (root / "index.json").write_text(text)
        with pytest.raises(OhmykubeError) as caught:
            cache.entries()
        assert caught.value.code == "cache.index"
        assert "index.json" in caught.value.hint

    def test_of_a_newer_version(self, cache: Cache, root: Path, server: Server) -> None:
        root.mkdir(parents=True)
        (root / "index.json").write_text('{"format": 2, "entries": {"other": "form"}}')
        with pytest.raises(OhmykubeError) as caught:
            cache.ensure(artifact(server.put("tool", TOOL), TOOL))
        assert caught.value.code == "cache.newer"
        assert "format 2" in caught.value.message

    def test_of_an_older_version(self, cache: Cache, root: Path, server: Server) -> None:
        """As the first version wrote it, word for word; a key that it might lack is assumed on the safe side."""
        root.mkdir(parents=True)
        (root / "tool-v1.2.3-amd64-5e91a7b2c0d3f4e6.tar.zst").write_bytes(b"0123456789")
        row = """{
   "component": "tool", "version": "v1.2.3", "arch": "amd64", "sha256": "%s", "size": 10,
   "source_sha256": "%s", "source_url": "https://x/tool", "created": "2026-11-02T10:00:00+00:00",
   "files": ["usr/local/bin/tool"], "verified": true, "recipe": "%s",
   "file": "tool-v1.2.3-amd64-5e91a7b2c0d3f4e6.tar.zst"
  }"""
        wanted = artifact(server.put("tool", TOOL), TOOL)
        row = row % (hexsum(b"0123456789"), hexsum(TOOL), cache_recipe(wanted))
        (root / "index.json").write_text(f'{{"format": 1, "entries": [{row}]}}')
        entry = cache.find(wanted)
        assert entry
        assert (entry.verified, entry.files) == (True, ("usr/local/bin/tool",))
        assert server.asked == []

        poorer = {key: value for key, value in json.loads(row).items() if key not in ("verified", "recipe")}
        (root / "index.json").write_text(json.dumps({"format": 1, "entries": [poorer]}))
        (old,) = cache.entries()
        assert (old.verified, old.recipe) == (False, "")
        assert cache.find(wanted) is None  # nobody can tell how it was made
        assert cache.ensure(wanted).verified

    def test_of_a_version_that_knows_one_key_more(self, cache: Cache, root: Path, server: Server) -> None:
        """It is read, and the key outlives a change by this version."""
        first = artifact(server.put("tool", TOOL), TOOL)
        cache.ensure(first)
        document = json.loads((root / "index.json").read_text())
        document["entries"][0]["origin"] = "a later invention"
        (root / "index.json").write_text(json.dumps(document))
        assert cache.find(first)
        cache.ensure(artifact(server.put("other", b"x"), b"x", component="other"))
        rows = json.loads((root / "index.json").read_text())["entries"]
        assert [row.get("origin") for row in rows] == ["a later invention", None]

    def test_a_row_that_lacks_what_it_needs_serves_nobody(self, cache: Cache, root: Path) -> None:
        root.mkdir(parents=True)
        (root / "x").write_bytes(b"1")
        (root / "index.json").write_text('{"format": 1, "entries": [{"file": "x", "sha256": "0", "size": 1}]}')
        assert cache.entries() == []
