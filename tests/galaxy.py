"""The collection as those have it who have no checkout: built, and installed from the archive."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COLLECTION = Path(__file__).parents[1] / "collections/ansible_collections/ohmykube/cluster"


def install(folder: Path) -> None:
    """Into `folder/collections`, as from Galaxy."""
    _galaxy(folder, "build", "--output-path", str(folder), str(COLLECTION))
    (archive,) = folder.glob("*.tar.gz")
    _galaxy(folder, "install", "--offline", "-p", "collections", str(archive))


def ansible(
    program: str, *arguments: str, folder: Path, timeout: float = 120, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """A program of Ansible that knows nothing of the checkout. timeout: seconds."""
    clean = {name: value for name, value in environment.items() if not name.startswith(("ANSIBLE", "PYTHONPATH"))}
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=folder,
        env={**clean, "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"), "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _galaxy(folder: Path, *words: str) -> None:
    done = ansible("ansible-galaxy", "collection", *words, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
