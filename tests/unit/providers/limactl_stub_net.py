"""The networks of the limactl stub: networks.yaml, and which daemons run."""

import json
import os
import signal
from typing import Any

from limactl_stub_state import HOME, await_, fatal, inspect, instances, read_pid, spawn, write

NETWORKS = HOME / "_config" / "networks.yaml"


def networks() -> dict[str, Any]:
    if not NETWORKS.exists():
        NETWORKS.parent.mkdir(parents=True, exist_ok=True)
        default = {"user-v2": {"mode": "user-v2", "gateway": "192.168.104.1", "netmask": "255.255.255.0"}}
        write(NETWORKS, json.dumps(default))
    return dict(json.loads(NETWORKS.read_text()))


def network(arguments: list[str]) -> None:
    verb, names = arguments[0], [argument for argument in arguments[1:] if not argument.startswith("-")]
    known = networks()
    if verb == "list":
        for name, data in sorted(known.items()):
            print(json.dumps({"name": name, **data}))
    elif verb == "create":
        if names[0] in known:
            fatal(f"network `{names[0]}` already exists")
        gateway = next(a.removeprefix("--gateway=") for a in arguments if a.startswith("--gateway="))
        made = {"mode": "user-v2", "gateway": gateway.split("/")[0], "netmask": "255.255.255.0", "interface": ""}
        write(NETWORKS, json.dumps({**known, names[0]: made}))
    elif verb == "delete":
        if "--force" not in arguments:
            fatal("`limactl network delete` currently always requires `--force`")
        write(NETWORKS, json.dumps({name: data for name, data in known.items() if name not in names}))


def reconcile(starting: str = "") -> None:
    """Start the networks of what runs or is about to, and stop every other one, whoever is just booting on it."""
    wanted = {
        used["lima"]
        for name in instances()
        if (HOME / name / "lima.yaml").exists() and (name == starting or inspect(name)["status"] == "Running")
        for used in inspect(name)["network"]
        if "lima" in used
    }
    for name in networks():
        folder = HOME / "_networks" / name
        pid_file = folder / f"usernet_{name}.pid"
        pid = read_pid(pid_file)
        if name in wanted and not pid:
            folder.mkdir(parents=True, exist_ok=True)
            gateway = str(networks()[name]["gateway"])
            spawn("usernet", "-p", str(pid_file), "-e", str(folder / f"{name}_ep.sock"), "--gateway", gateway)
            await_((folder / f"{name}_fd.sock").exists)
        elif name not in wanted and pid:
            write(folder / "leases.json", json.dumps(daemon(name, "GET", "/services/dhcp/leases")))
            os.kill(pid, signal.SIGINT)
            await_(lambda: not read_pid(pid_file))  # noqa: B023 - called at once


def daemon(name: str, method: str, path: str) -> Any:
    """One request to a network's daemon."""
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(HOME / "_networks" / name / f"{name}_ep.sock"))
        connection.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])
