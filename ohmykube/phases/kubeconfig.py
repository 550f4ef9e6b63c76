"""Give the person a kubeconfig: one file of the cluster's own, and a context in theirs where they want it."""

from ohmykube import kubeconfig, ssh
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine
from ohmykube.phases.base import Context
from ohmykube.store import atomic

_ADMIN = "/etc/kubernetes/admin.conf"


class WriteKubeconfig:
    title = "kubeconfig"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """Read over ssh and not by a playbook, whose results lie on disk."""
        plane = first_control_plane(context)
        if plane.ssh is None:
            raise OhmykubeError("machine.unreachable", f"{plane.name} has no ssh address", hint="ohmykube status")
        sudo = [] if plane.ssh.user == "root" else ["sudo", "-n"]
        admin = ssh.run(plane.ssh, [*sudo, "cat", _ADMIN], timeout=30)
        text = kubeconfig.localise(admin, context.cluster.name, plane.api or f"{plane.address}:6443")
        path = context.folder.kubeconfig
        if not path.exists() or path.read_text() != text:
            atomic.write(path, text)
            context.changed += 1
        if context.kubeconfig:
            context.changed += kubeconfig.add_context(context.kubeconfig, text)


def first_control_plane(context: Context) -> Machine:
    """The machine that kubeadm init ran on."""
    name = next(machine.name for machine in context.machines if machine.role == "control-plane")
    found = [machine for machine in context.provider.machines() if machine.name == name]
    if not found:
        raise OhmykubeError("machine.missing", f"the machine {name} is gone", hint="`ohmykube up` makes it anew")
    return found[0]
