"""Give the person a kubeconfig: one file of the cluster's own, and a context in theirs where they want it."""

from ohmykube import kubeconfig, ssh
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.machines import Machine
from ohmykube.phases.base import Context
from ohmykube.phases.machines import running_planes
from ohmykube.store import atomic

_ADMIN = "/etc/kubernetes/admin.conf"
_PORT = 6443


class WriteKubeconfig:
    title = "kubeconfig"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """Read over ssh and not by a playbook, whose results lie on disk."""
        plane, admin = _admin(context)
        text = kubeconfig.localise(admin, context.cluster.name, _api(context, plane))
        path = context.folder.kubeconfig
        if not path.exists() or path.read_text() != text:
            atomic.write(path, text)
            context.changed += 1
        if context.kubeconfig:
            context.changed += kubeconfig.add_context(context.kubeconfig, text)


def _admin(context: Context) -> tuple[Machine, str]:
    """A control plane, and the administrator's kubeconfig as it has it."""
    errors = []
    for plane in running_planes(context):
        if plane.ssh is None:
            errors.append(
                OhmykubeError("machine.unreachable", f"{plane.name} has no ssh address", hint="ohmykube status")
            )
            continue
        sudo = [] if plane.ssh.user == "root" else ["sudo", "-n"]
        try:
            return plane, ssh.run(context.shared(plane.ssh), [*sudo, "cat", _ADMIN], timeout=30)
        except OhmykubeError as error:
            errors.append(error)
    raise_all(errors)
    raise OhmykubeError("machine.missing", "no control plane runs", hint="`ohmykube up` makes or starts it")


def _api(context: Context, plane: Machine) -> str:
    """Where this computer reaches the API server: the one that there is, or the one that has the shared address now."""
    several = sum(machine.role == "control-plane" for machine in context.machines) > 1
    wished = context.cluster.spec.network.api_address
    shared = context.state.api_address if wished == "auto" else wished
    if several and shared:
        return context.provider.reach(shared, _PORT)
    return plane.api or f"{plane.address}:{_PORT}"
