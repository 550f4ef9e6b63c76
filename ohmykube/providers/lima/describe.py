"""Instances of Lima as the machines that everybody else knows."""

from collections.abc import Mapping

from ohmykube.providers.base import Machine, ProviderContext, SshTarget, Status
from ohmykube.providers.lima import problems, template
from ohmykube.providers.lima.limactl import Instance
from ohmykube.providers.lima.power import booted

_STATUS: Mapping[str, Status] = {"Running": "running", "Stopped": "stopped"}


def ssh_target(instance: Instance, context: ProviderContext) -> SshTarget:
    return SshTarget(
        host="127.0.0.1",
        user=template.USER,
        identity_file=context.identity_file,
        known_hosts=context.known_hosts,
        port=instance.ssh_port,
        host_key_alias=instance.name,
    )


def machine(instance: Instance, context: ProviderContext, addresses: Mapping[str, str]) -> Machine:
    """addresses: those of the network, by Lima's host name for a machine."""
    running = instance.status == "Running"
    status = _STATUS.get(instance.status, "broken") if not running or booted(instance) else "broken"
    return Machine(
        name=instance.name,
        status=status,
        address=addresses.get(f"lima-{instance.name}", "") if running else "",
        api=f"127.0.0.1:{instance.api_port}" if running and instance.api_port else "",
        ssh=ssh_target(instance, context) if running else None,
        detail=problems.detail(instance) if status == "broken" else "",
    )
