"""Run `ansible-test sanity` over the collection without Docker, and with whatever package index pip is set up for.

ansible-test clears the environment and fetches pip from a server of its own. So it gets a home directory
that holds pip's settings as a file, and a way to pip that needs the package index alone. Its virtual environments
stay in that home, which makes the second run fast.
"""

import ast
import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

COLLECTION = Path(__file__).parents[1] / "collections/ansible_collections/ohmykube/cluster"
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ohmykube" / "ansible-test"
SKIPPED = {
    "pslint": "there is no PowerShell here",
    "pylint": "ruff checks the same files",
    "shellcheck": "there is no shell script in the collection",
}
GET_PIP = '''"""In place of get-pip.py: the pip that came with Python installs the one that ansible-test asks for."""
import subprocess
import sys

packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
for command in (["ensurepip"], ["pip", "install", "--quiet", *packages]):
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
'''


def main() -> int:
    _prepare_home()
    command = ["ansible-test", "sanity", "--local", "--requirements", "--python", _python_version(), "--color", "no"]
    command += [word for test in SKIPPED for word in ("--skip-test", test)]
    bin_directory = Path(sys.executable).parent
    environment = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": f"{bin_directory}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    try:
        return subprocess.run(command, cwd=COLLECTION, env=environment, check=False).returncode
    finally:
        shutil.rmtree(COLLECTION / "tests/output", ignore_errors=True)  # or it would be published with the collection


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _prepare_home() -> None:
    get_pip = HOME / ".ansible/test/cache/get_pip_24_2.py"
    get_pip.parent.mkdir(parents=True, exist_ok=True)
    get_pip.write_text(GET_PIP)
    settings = configparser.ConfigParser(interpolation=None)
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True, timeout=60
    )
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, key, str(ast.literal_eval(value)))
    pip = HOME / ".config/pip/pip.conf"
    pip.parent.mkdir(parents=True, exist_ok=True)
    with pip.open("w") as file:
        settings.write(file)
    pip.chmod(0o600)  # an index URL may hold a password


if __name__ == "__main__":
    sys.exit(main())
