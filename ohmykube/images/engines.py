"""Images that a container engine on this computer has: each saves them in a form that the cache reads."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ohmykube.errors import OhmykubeError

ENGINES = ("docker", "podman", "nerdctl")  # in the order in which they are asked
_ASK_TIMEOUT = 20  # seconds; an engine whose daemon hangs must not hang us
_SAVE_TIMEOUT = 900  # seconds


def having(reference: str, engine: str = "") -> str:
    """The engine that has the image: the named one, else the first. Raises OhmykubeError `engine.*`."""
    asked = [engine] if engine else [name for name in ENGINES if shutil.which(name)]
    if not asked:
        raise OhmykubeError(
            "engine.missing",
            f"There is no file {reference}, and none of {', '.join(ENGINES)} is installed here.",
            hint=f"Give an archive, or pull it from its registry: `ohmykube image pull {reference}`.",
            context={"image": reference},
        )
    words = []
    for name in asked:
        why = _lacks(name, reference)
        if not why:
            return name
        words.append(f"{name}: {why}")
    raise OhmykubeError(
        "engine.no-image",
        f"{reference}: {'; '.join(words)}",
        hint=f"Build it first (`{asked[0]} build -t {reference} .`), or pull it: `ohmykube image pull {reference}`.",
        context={"image": reference},
    )


@contextmanager
def saved(engine: str, reference: str, folder: Path) -> Iterator[Path]:
    """An archive of the image in `folder`, removed afterwards. Raises OhmykubeError `engine.failed`."""
    with tempfile.TemporaryDirectory(prefix="save-", dir=folder) as scratch:
        archive = Path(scratch) / "image.tar"
        done = _run([engine, "save", "--output", str(archive), reference], _SAVE_TIMEOUT)
        if done.returncode or not archive.exists():
            raise OhmykubeError(
                "engine.failed",
                f"{engine} cannot save {reference}: {_words(done)}",
                hint=f"`{engine} save {reference}` shows it at more length.",
                context={"image": reference, "engine": engine},
            )
        yield archive


def _lacks(engine: str, reference: str) -> str:
    """Why it does not have the image; empty where it has."""
    if not shutil.which(engine):
        return "it is not installed"
    done = _run([engine, "image", "inspect", reference], _ASK_TIMEOUT)
    return "" if done.returncode == 0 else _words(done)


def _run(argv: Sequence[str], timeout: int) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"no answer within {timeout} s")


def _words(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    return lines[-1].strip() if lines else f"it ended with exit code {done.returncode}"
