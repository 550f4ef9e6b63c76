#!/usr/bin/env python3
"""A limactl for tests: a real process that answers as Lima 2.2 does, with machines that are processes and no more.

State lies in LIMA_HOME in the real one's own files and pid files. `$LIMACTL_STUB` is the test's folder:
`calls.jsonl` records every call; `faults.json` asks for failures, `{"start dev-worker-1": ["exit", "degraded"]}` for
the first and second start; `version` is what `--version` says. Where this and the real one differ, this is wrong.

It is called for every look at a machine, so what a verb alone needs is imported there.
The real one also refuses to run as root; this one does so only when asked (fault "root"), as unit tests run as both.
"""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import limactl_stub_state as state
from limactl_stub_net import daemon, network, networks, reconcile
from limactl_stub_state import HOME, STUB, await_, fatal, fault, inspect, instances, log, read_pid, spawn, write

IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")


def list_(arguments: list[str]) -> None:
    wanted = [argument for argument in arguments if not argument.startswith("-")]
    for name in instances():
        if not (HOME / name / "lima.yaml").exists():
            log("warning", f"The directory `{HOME}` does not look like a valid Lima directory")
    if not wanted and not instances():
        log("warning", "No instance found. Run `limactl create` to create an instance.")
    unmatched = [name for name in wanted if name not in instances()]
    for name in unmatched:
        log("warning", f"No instance matching {name} found.")
    for name in [name for name in instances() if not wanted or name in wanted]:
        found = inspect(name)
        errors = found.pop("errors")
        if errors:
            log("warning", f"instance `{name}` has errors", errors=errors)
        print(json.dumps(found, indent=4 if sys.stdout.isatty() else None))
    if unmatched:
        fatal("unmatched instances")


def create(arguments: list[str]) -> None:
    import shutil
    import subprocess

    import yaml

    name = next(argument.removeprefix("--name=") for argument in arguments if argument.startswith("--name="))
    if not IDENTIFIER.fullmatch(name):
        fatal(f"identifier `{name}` must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$")
    text = sys.stdin.read()
    if re.search(r"^ *\w+: '[^']*$", text, re.MULTILINE):
        fatal("the formatter has spoiled a text of several lines in quotes")
    config = yaml.safe_load(text)
    if "base" in config:
        base = Path(config.pop("base"))
        if not base.exists():
            fatal(f"open {base}: no such file or directory")
        for key, value in yaml.safe_load(base.read_text()).items():
            if isinstance(value, list):
                above = config.get(key, [])
                config[key] = [*value, *above] if key in ("provision", "probes") else [*above, *value]
            elif isinstance(value, dict):
                config[key] = {**value, **config.get(key, {})}
            else:
                config.setdefault(key, value)
    folder = HOME / name
    if folder.exists():
        fatal(f"instance `{name}` already exists")
    for used in config["networks"]:
        if used.get("lima") not in networks():
            fatal(f"field `networks[0].lima` references network `{used.get('lima')}` which is not defined")
    key = HOME / "_config" / "user"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lima", "-f", key], check=True)
    folder.mkdir(mode=0o700)
    write(folder / "lima.yaml", json.dumps(config))
    wanted = fault(f"create {name}")
    if wanted == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    image = Path(config["images"][0]["location"])
    if wanted == "leak":
        fatal("the YAML is invalid: " + text)
    if wanted or not image.exists():
        fatal(f"failed to download `{image}`: {wanted or 'no such file or directory'}")
    shutil.copyfile(image, folder / "disk")
    log("info", f"Run `limactl start {name}` to start the instance.")


def start(arguments: list[str]) -> None:
    name = arguments[-1]
    folder = HOME / name
    if not (folder / "lima.yaml").exists():
        fatal("it would be created from the default template, whose download fails")
    found = inspect(name)
    if found["errors"]:
        fatal(f"errors inspecting instance: [{' '.join(found['errors'])}]")
    if found["status"] == "Running":
        log("info", f"The instance `{name}` is already running.")
        return
    reconcile(name)
    wanted = fault(f"start {name}")
    if wanted == "exit":
        (folder / "ha.stderr.log").write_text('{"level":"fatal","msg":"qemu exited"}\n')
        (folder / "serial.log").write_text("Kernel panic\n")
        fatal("host agent process has exited: exit status 1")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        write(folder / "ssh.config", f"Host lima-{name}\n  Port {probe.getsockname()[1]}\n")
    spawn("hostagent", "--pidfile", str(folder / "ha.pid"), "--socket", str(folder / "ha.sock"), name)
    await_(lambda: read_pid(folder / "ha.pid") and read_pid(folder / "qemu.pid"))
    for used in json.loads((folder / "lima.yaml").read_text())["networks"]:
        daemon(used["lima"], "POST", f"/lease/{name}")
    if wanted == "degraded":
        (folder / "ha.stderr.log").write_text('{"level":"error","msg":"probe failed"}\n')
        fatal("degraded, status={Running:true Degraded:true Exiting:false}")
    if wanted == "slow":
        time.sleep(0.5)
    log("info", "READY.")


def hostagent(arguments: list[str]) -> None:
    """The driver is a child that says nothing; killing this one leaves it behind, as the real one does."""
    pid_file = Path(arguments[arguments.index("--pidfile") + 1])
    driver = os.fork()
    if not driver:
        while True:
            signal.pause()
    pid_file.with_name("ha.sock").touch()
    write(pid_file.with_name("qemu.pid"), f"{driver}\n")
    write(pid_file, f"{os.getpid()}\n")

    def end(*_: object) -> None:
        if (STUB / "deaf").exists():
            return
        os.kill(driver, signal.SIGKILL)
        os.waitpid(driver, 0)
        pid_file.with_name("qemu.pid").unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)
        os._exit(0)

    signal.signal(signal.SIGINT, end)
    while True:
        signal.pause()


def usernet(arguments: list[str]) -> None:
    import limactl_stub_usernet

    limactl_stub_usernet.usernet(arguments)


def stop(arguments: list[str]) -> None:
    name = arguments[-1]
    if name not in instances():
        fatal(f"open {HOME / name / 'lima.yaml'}: no such file or directory")
    if "--force" in arguments:
        kill(name)
    else:
        status = inspect(name)["status"]
        if status != "Running":
            fatal(f"expected status `Running`, got `{status}` (maybe use `limactl stop -f`?)")
        os.kill(read_pid(HOME / name / "ha.pid"), signal.SIGINT)
        if (STUB / "deaf").exists() or not await_(lambda: inspect(name)["status"] == "Stopped"):
            fatal("did not receive an event with the `exiting` status")
    reconcile()


def delete(arguments: list[str]) -> None:
    import shutil

    failed = False
    for name in [argument for argument in arguments if not argument.startswith("-")]:
        if not (HOME / name).exists():
            log("warning", f"Ignoring non-existent instance `{name}`")
        elif not (HOME / name / "lima.yaml").exists():
            log("error", f"instance `{name}` directory `{HOME / name}` exists but its `lima.yaml` could not be read")
            failed = True
        elif fault(f"delete {name}"):
            fatal(f"failed to delete instance `{name}`: instance is protected to prohibit accidental removal")
        else:
            kill(name)
            shutil.rmtree(HOME / name)
    reconcile()
    if failed:
        fatal("it was NOT deleted")


def kill(name: str) -> None:
    """Whatever the pid files name, be it a stranger."""
    for file in ("qemu.pid", "ha.pid"):
        pid = read_pid(HOME / name / file)
        if pid:
            os.kill(pid, signal.SIGKILL)
            await_(lambda path=HOME / name / file: not read_pid(path))  # type: ignore[misc]
    for file in [*(HOME / name).glob("*.pid"), *(HOME / name).glob("*.sock")]:
        file.unlink(missing_ok=True)


def disk(arguments: list[str]) -> None:
    import shutil

    verb, names = arguments[0], [argument for argument in arguments[1:] if not argument.startswith("-")]
    for name in names:
        folder = HOME / "_disks" / name
        if verb == "create":
            if folder.exists():
                fatal(f"disk `{name}` already exists")
            folder.mkdir(parents=True)
            (folder / "datadisk").touch()
        elif folder.exists():
            shutil.rmtree(folder)
        else:
            log("warning", f"Ignoring non-existent disk `{name}`")


def main(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        version = STUB / "version"
        print("limactl version", version.read_text() if version.exists() else "2.2.0")
        return
    with (STUB / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps({"argv": arguments, "tty": sys.stdin.isatty(), "home": str(HOME)}) + "\n")
    if fault("root"):
        sys.exit("limactl: must not run as the root user")
    while arguments and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option.startswith("--log-format="):
            state.log_format = option.removeprefix("--log-format=")
    verb, rest = arguments[0], arguments[1:]
    verbs = {f.__name__.rstrip("_"): f for f in (list_, create, start, stop, delete, network, disk, hostagent, usernet)}
    if verb not in verbs:
        fatal(f"unknown command `{verb}` for `limactl`")
    verbs[verb](rest)


if __name__ == "__main__":
    main(sys.argv[1:])
