"""What the parts of the limactl stub share: where its state lies, its log, its processes."""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

STUB = Path(os.environ.get("LIMACTL_STUB", ""))
HOME = Path(os.environ.get("LIMA_HOME", "")).resolve()
log_format = "text"


def log(level: str, message: str, **fields: object) -> None:
    if log_format == "json":
        entry = {**fields, "level": level, "msg": message, "time": "2026-01-01T00:00:00Z"}
        print(json.dumps(entry, default=lambda _: {}), file=sys.stderr)
    else:
        more = "".join(f' {name}="[{" ".join(map(str, value))}]"' for name, value in fields.items())  # type: ignore[call-overload]
        print(f'time="2026-01-01T00:00:00Z" level={level} msg="{message}"{more}', file=sys.stderr)


def fatal(message: str) -> NoReturn:
    log("fatal", message)
    sys.exit(1)


def fault(key: str) -> str:
    """The next failure that the test wants of this call; empty: none."""
    path = STUB / "faults.json"
    faults = json.loads(path.read_text()) if path.exists() else {}
    wanted = faults.get(key) or [""]
    if wanted[0]:
        write(path, json.dumps({**faults, key: wanted[1:]}))
    return str(wanted[0])


def read_pid(path: Path) -> int:
    """As the real one: a file whose process is gone is removed, one whose process lives is believed."""
    try:
        pid = int(path.read_text())
        os.kill(pid, 0)
        # Nobody may wait for orphans in a container; where somebody does, a dead one is gone at once.
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            raise ProcessLookupError
    except FileNotFoundError:
        return 0
    except ProcessLookupError:
        path.unlink(missing_ok=True)
        return 0
    except PermissionError:
        pass
    return pid


def write(path: Path, text: str) -> None:
    """Whole at once, for whoever reads it now."""
    made = path.with_suffix(f".{os.getpid()}")
    made.write_text(text)
    made.replace(path)


def instances() -> list[str]:
    folders = sorted(HOME.iterdir()) if HOME.is_dir() else []
    return [path.name for path in folders if path.is_dir() and path.name[0] not in "._"]


def inspect(name: str) -> dict[str, Any]:
    folder = HOME / name
    errors: list[Any] = []
    about = {"name": name, "dir": str(folder), "protected": False}
    if not (folder / "lima.yaml").exists():
        missing = {"Op": "open", "Path": str(folder / "lima.yaml"), "Err": 2}
        return {**about, "hostname": "", "status": "Broken", "vmType": "", "arch": "", "errors": [missing]}
    config = json.loads((folder / "lima.yaml").read_text())
    agent, driver = read_pid(folder / "ha.pid"), read_pid(folder / "qemu.pid")
    if agent and not (folder / "ha.sock").exists():
        errors.append(f"failed to connect to `{folder}/ha.sock`: stat {folder}/ha.sock: no such file or directory")
    elif agent and not driver:
        errors.append("host agent is running but driver is not")
    elif driver and not agent:
        errors.append("qemu driver is running but host agent is not")
    status = "Broken" if errors else "Running" if agent else "Stopped"
    if fault(f"list {name}") == "broken":
        status, errors = "Broken", ["failed to get Info from ha.sock"]
    port = re.search(r"Port (\d+)", (folder / "ssh.config").read_text()) if (folder / "ssh.config").exists() else None
    return {
        **about,
        "hostname": "lima-" + re.sub("[._]", "-", name),
        "status": status,
        "vmType": config["vmType"],
        "arch": config["arch"],
        "cpus": config["cpus"],
        "memory": int(config["memory"]),
        "disk": int(config["disk"]),
        "additionalDisks": config.get("additionalDisks", []),
        "network": config["networks"],
        "sshLocalPort": int(port[1]) if port else 0,
        "sshConfigFile": str(folder / "ssh.config"),
        "config": config,
        "sshAddress": "127.0.0.1",
        "errors": errors,
    }


def spawn(*arguments: str) -> None:
    """A process in the background that holds nothing of ours open."""
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    command = [sys.executable, "-S", sys.argv[0], *arguments]
    os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet, setpgroup=0)


def await_(condition: Any, timeout: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
