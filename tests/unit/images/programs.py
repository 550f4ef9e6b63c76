"""Programs that speak like docker, podman, nerdctl and helm: shell scripts in a folder that is the PATH."""

import os
from collections.abc import Iterable
from pathlib import Path

# A folder beside the program has its images: a file an image, named as it is asked for with / and : as _.
ENGINE = """#!/bin/sh
store="$(dirname "$0")/$(basename "$0").images"
echo "$(basename "$0") $*" >> "$(dirname "$0")/asked"
name() { echo "$1" | tr /: __; }
case "$1 $2" in
"image inspect") test -e "$store/$(name "$3")" || { echo "No such image: $3" >&2; exit 1; } ;;
"save --output") test -e "$store/fails" && { echo "the daemon went away" >&2; exit 1; }
    cp "$store/$(name "$4")" "$3" ;;
esac
"""
HANGS = "#!/bin/sh\nexec sleep 60\n"


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def engine(folder: Path, name: str, images: Iterable[tuple[str, bytes]] = ()) -> Path:
    """It has these images: by name, and as the archive that it saves."""
    made = program(folder, name, ENGINE)
    store = folder / f"{name}.images"
    store.mkdir(exist_ok=True)
    for reference, content in images:
        (store / reference.replace("/", "_").replace(":", "_")).write_bytes(content)
    return made


def search(folder: Path) -> str:
    """A PATH with these programs and what their scripts need, and no engine of this computer."""
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "basename", "tr", "cp", "cat", "sleep", "echo", "test"):
        place = next((Path(part, name) for part in os.defpath.split(os.pathsep) if Path(part, name).exists()), None)
        if place and not (tools / name).exists():
            (tools / name).symlink_to(place)
    return f"{folder}{os.pathsep}{tools}"
