"""The documentation as a site: every link leads somewhere, and everything is on it."""

import os
import re
import subprocess
import sys

import pytest

from tests.unit.docs.blocks import TOP

pytest.importorskip("material", reason="the extra `docs` is not installed")


def test_the_site_is_built_without_a_warning(tmp_path):
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=TOP,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    begin = (site / "index.html").read_text()
    for page in (TOP / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").exists()
        assert f'href="{page.stem}.html"' in begin, page  # in the navigation, on every page
    assert 'href="ohmykube-cache-pull.html"' in (site / "reference/verbs/ohmykube-cache.html").read_text()
    assert "<code>-o, --output [table|json|yaml]</code>" in (site / "reference/verbs/ohmykube.html").read_text()
    assert "needs: cluster" not in re.sub(r"<!--.*?-->", "", begin)
