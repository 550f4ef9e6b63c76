"""What was seen of a cluster: for speed and display, and for the inventory. The truth is asked of the provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, MachineSpec, SshTarget

_API_VERSION = "ohmykube.dev/v1"


@dataclass(frozen=True)
class MachineRecord:
    """A machine of the cluster: what it is for, and how it was last seen. `seen` is None before it exists."""

    name: str
    role: str
    group: str
    seen: Machine | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def planned(cls, spec: MachineSpec) -> "MachineRecord":
        return cls(spec.name, spec.role, spec.group)


@dataclass(frozen=True)
class State:
    """`ready`: when the API last confirmed the whole cluster (ISO 8601, UTC); empty while it never did.

    `adding`: nodes of an `add` that has not come to its end. `api_address`: what several control planes
    share, unless the wish names one. `addons`: those that may be in the cluster.
    """

    cluster: str
    provider: str
    machines: tuple[MachineRecord, ...] = ()
    address_pool: str = ""
    catalogues: tuple[str, ...] = ()
    ready: str = ""
    adding: tuple[str, ...] = ()
    api_address: str = ""
    addons: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "apiVersion": _API_VERSION,
            "kind": "State",
            "cluster": self.cluster,
            "provider": self.provider,
            "addressPool": self.address_pool,
            "apiAddress": self.api_address,
            "catalogues": list(self.catalogues),
            "ready": self.ready,
            "adding": list(self.adding),
            "addons": list(self.addons),
            "machines": [_record_data(record) for record in self.machines],
        }

    @classmethod
    def from_data(cls, data: Any, path: Path) -> "State":
        """Raises OhmykubeError `state.unreadable`; the file is left as it is."""
        try:
            if data["apiVersion"] != _API_VERSION:
                raise OhmykubeError(
                    "state.newer",
                    f"{path} was written by another version of ohmykube ({data['apiVersion']})",
                    hint="use the version of ohmykube that wrote it",
                    context={"path": path},
                )
            return cls(
                cluster=data["cluster"],
                provider=data["provider"],
                machines=tuple(_record(item) for item in data["machines"]),
                address_pool=data["addressPool"],
                api_address=data.get("apiAddress", ""),  # older versions had none
                catalogues=tuple(data["catalogues"]),
                ready=data["ready"],
                adding=tuple(data.get("adding", ())),  # older versions had none
                addons=tuple(data.get("addons", ())),  # older versions had none
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise OhmykubeError(
                "state.unreadable",
                f"{path} is damaged: {error!r}",
                hint=f"move {path} aside and run `ohmykube up` again: machines are found by asking the provider",
                context={"path": path},
            ) from error


def _record_data(record: MachineRecord) -> dict[str, Any]:
    seen = record.seen
    ssh = seen.ssh if seen else None
    return {
        "name": record.name,
        "role": record.role,
        "group": record.group,
        "variables": dict(record.variables),
        "seen": seen and {"status": seen.status, "address": seen.address, "api": seen.api, "detail": seen.detail},
        "ssh": ssh
        and {
            "host": ssh.host,
            "port": ssh.port,
            "user": ssh.user,
            "identityFile": str(ssh.identity_file),
            "knownHosts": str(ssh.known_hosts),
            "hostKeyAlias": ssh.host_key_alias,
        },
    }


def _record(item: Any) -> MachineRecord:
    ssh = item["ssh"] and SshTarget(
        host=item["ssh"]["host"],
        user=item["ssh"]["user"],
        identity_file=Path(item["ssh"]["identityFile"]),
        known_hosts=Path(item["ssh"]["knownHosts"]),
        port=item["ssh"]["port"],
        host_key_alias=item["ssh"]["hostKeyAlias"],
    )
    seen = item["seen"] and Machine(name=item["name"], ssh=ssh, **item["seen"])
    return MachineRecord(item["name"], item["role"], item["group"], seen, item["variables"])
