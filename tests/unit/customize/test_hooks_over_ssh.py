"""A script whose `up` was interrupted: it ends too, since the next one would meet it at work."""

import subprocess
import sys
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize import hooks

from ohmykube import COLLECTIONS, ssh
from ohmykube.providers.base import SshTarget
from tests.patience import soon
from tests.unit.sshd import Sshd

RUN = f"""
import sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from pathlib import Path
from {hooks.__name__} import _execute
folder = Path(sys.argv[1])
_execute(["sh", "-c", "echo $$ >pid; exec sleep 1000"], {{"HOME": str(folder)}}, folder / "log", 1000)
"""


def test_it_ends_with_the_connection(sshd: Sshd, tmp_path: Path) -> None:
    ssh.pin_host_key(tmp_path / "known_hosts", "127.0.0.1", sshd.host_key)
    target = SshTarget("127.0.0.1", sshd.user, sshd.key, tmp_path / "known_hosts", sshd.port)
    script = RUN.replace(">pid", f">{tmp_path}/pid")
    argv = ssh.argv(target, ["env", f"TMPDIR={tmp_path}", sys.executable, "-c", script, str(tmp_path)])
    shared = ["-oControlMaster=auto", "-oControlPersist=20s", f"-oControlPath={tmp_path}/m"]  # as Ansible has it
    command = [argv[0], *shared, *argv[1:]]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
        assert soon(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "")
        client.kill()
    assert soon(lambda: not Path("/proc", (tmp_path / "pid").read_text().strip()).exists())
