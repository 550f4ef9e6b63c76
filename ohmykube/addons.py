"""Add-ons of a wish: folders of the user's are read and judged once, and what they hold is in the wish from then on.

The logic is the collection's; see module_utils/addons.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils import requirements
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import rendering, sets
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import (
    Addon,
    builtin,
    of_files,
    read_folder,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import dependents, unknown

from ohmykube.errors import OhmykubeError, each
from ohmykube.model.names import check_name
from ohmykube.model.problem import Problem
from ohmykube.model.spec import AddonWish, Cluster

__all__ = ["Addon", "builtin", "disabled", "enabled", "members", "resolved"]


def members(cluster: Cluster) -> list[Addon]:
    """Those of the cluster, each behind what it requires."""
    return list(sets.members(wish.model_dump() for wish in cluster.spec.addons))


def resolved(folder: Path, cluster: Cluster, problems: list[Problem]) -> Cluster:
    """With what the folders hold, and with the add-ons that others require. What is wrong is added to the problems.

    folder: what relative paths count from.
    """
    known, before = builtin(), len(problems)
    found: list[AddonWish] = []
    for number, wish in enumerate(cluster.spec.addons):
        place = ("spec", "addons", number)
        if wish.name in [other.name for other in found]:
            problems.append(Problem((*place, "name"), f"the add-on {wish.name} stands twice"))
        try:
            if not wish.path and wish.name not in known:
                raise unknown(wish.name, known)
            found.append(_read(wish, folder) if wish.path else AddonWish(name=wish.name))
        except OhmykubeError as error:
            problems += [Problem((*place, "path" if wish.path else "name"), e.message, e.hint) for e in each(error)]
    if len(problems) == before:
        try:
            return _with(cluster, found)
        except OhmykubeError as error:
            problems += [Problem(("spec", "addons"), e.message, e.hint) for e in each(error)]
    return cluster


def enabled(cluster: Cluster, targets: Sequence[str]) -> Cluster:
    """With these add-ons too, and those that they require. A target is a name, or the path of a folder, which has a /.

    Raises OhmykubeError `addon.*`.
    """
    there = {wish.name: wish for wish in cluster.spec.addons}
    for target in targets:
        if "/" in target or target in (".", ".."):
            path = Path(target).expanduser().resolve()
            there[path.name] = _read(AddonWish(name=_name(path), path=str(path)), path)
        else:
            there.setdefault(target, AddonWish.model_construct(name=target))  # judged below
    return _with(cluster, list(there.values()))


def disabled(cluster: Cluster, names: Iterable[str]) -> Cluster:
    """Without these add-ons. Raises OhmykubeError `addon.required` where what stays needs one of them."""
    gone = set(names)
    for name in requirements.of_its_own(cluster.as_data()["spec"]):
        if name in gone:
            words = f"{name} is the cluster's {'pod network' if name == cluster.spec.network.cni else 'storage'}"
            raise OhmykubeError("addon.required", words, hint="it goes with the cluster: `ohmykube down`", exit_code=2)
    staying = [addon for addon in members(cluster) if addon.name not in gone]
    for name in sorted(gone):
        if others := dependents(name, staying):
            all_of_them = " ".join([name, *others])
            raise OhmykubeError(
                "addon.required",
                f"{name} is required by {', '.join(others)}",
                hint=f"`ohmykube addon disable {all_of_them}` takes all of them out",
                exit_code=2,
            )
    return _replaced(cluster, [wish for wish in cluster.spec.addons if wish.name not in gone])


def _with(cluster: Cluster, wishes: Sequence[AddonWish]) -> Cluster:
    """With these, in this order, and behind them what they require beside."""
    named = [wish.name for wish in wishes]
    addons = sets.members(wish.model_dump() for wish in wishes)
    _check_addresses(cluster, addons)
    all_of_them = [addon.name for addon in addons]
    return _replaced(cluster, [*wishes, *(AddonWish(name=name) for name in all_of_them if name not in named)])


def _check_addresses(cluster: Cluster, addons: Iterable[Addon]) -> None:
    """The API server would refuse it, when all else is done."""
    cidr = cluster.spec.network.service_cidr
    for addon in addons:
        for service, address in rendering.addresses(addon).items():
            if not _within(address, cidr):
                raise OhmykubeError(
                    "addon.address",
                    f"the Service {service} of {addon.name} has the address {address}, which is not in {cidr}",
                    hint="take a copy of its folder with another clusterIP, or change spec.network.serviceCIDR",
                    exit_code=2,
                )


def _within(address: str, cidrs: str) -> bool:
    """What is no address, or no network, is somebody else's to judge."""
    try:
        return any(ip_address(address) in ip_network(cidr) for cidr in cidrs.split(","))
    except ValueError:
        return True


def _replaced(cluster: Cluster, wishes: Sequence[AddonWish]) -> Cluster:
    return cluster.model_copy(update={"spec": cluster.spec.model_copy(update={"addons": tuple(wishes)})})


def _read(wish: AddonWish, folder: Path) -> AddonWish:
    """One whose folder is gone stays as it was read before."""
    try:
        path = (folder / Path(wish.path).expanduser()).resolve()
        if wish.files and not path.exists():
            return wish
        files = read_folder(path)
    except (OSError, ValueError, RuntimeError) as error:  # what can be no path at all
        raise OhmykubeError("addon.unreadable", f"{wish.path!r} is no path: {error}", exit_code=2) from error
    of_files(wish.name, files, str(path))
    return wish.model_copy(update={"path": str(path), "files": files})


def _name(path: Path) -> str:
    try:
        return check_name(path.name)
    except ValueError as error:
        hint = "an add-on is called like its folder; in a cluster file it can have another name"
        raise OhmykubeError("addon.invalid", f"{path}: {error}", hint=hint, exit_code=2) from error
