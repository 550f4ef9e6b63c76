"""The user's own files for kubeadm: read and judged before anything is made, and carried in the wish from then on.

The judge is the role's own code; here it also knows files and lines.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import cluster_inventory, places
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import layers, patches
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import text
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.enforced import Joining, Node
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.user import User, of_file, of_list

from ohmykube.errors import OhmykubeError
from ohmykube.logs.redact import names_a_secret
from ohmykube.model.document import Document
from ohmykube.model.machines import wanted
from ohmykube.model.spec import Cluster, Kubeadm, KubeadmRead
from ohmykube.store.state import MachineRecord, State

__all__ = ["SECRET", "OwnFiles", "documents", "nodes", "notes", "problems", "read", "recorded", "text"]

SECRET = "<secret>"  # noqa: S105 - it stands where one would
_UNKNOWN = Joining(token=SECRET, ca_cert_hash="<hash of the cluster's CA>", certificate_key=SECRET)
_WHERE = ("spec", "kubeadm")


@dataclass
class OwnFiles:
    """config, patches: absolute paths. user: the documents. notes: for a person to read."""

    config: str = ""
    patches: str = ""
    user: User = field(default_factory=User)
    patch_texts: dict[str, str] = field(default_factory=dict)
    problems: list[OhmykubeError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def into(self, cluster: Cluster) -> Cluster:
        """The wish with what the files say."""
        documents = tuple(dict(document) for document in self.user.documents.values())
        read = KubeadmRead(documents=documents, patches=self.patch_texts)
        kubeadm = Kubeadm(config=self.config, patches=self.patches, read=read)
        return cluster.model_copy(update={"spec": cluster.spec.model_copy(update={"kubeadm": kubeadm})})


def read(document: Document, folder: Path) -> OwnFiles:
    """What `spec.kubeadm` of the layers names, with every problem of it.

    folder: what paths in the cluster file count from; those of flags count from where we are.
    """
    own = OwnFiles()
    for key in ("config", "patches"):
        path = document.at((*_WHERE, key))
        if isinstance(path, str) and path:
            origin = document.origin((*_WHERE, key))
            base = Path() if origin.startswith(("--", "OHMYKUBE_")) else folder
            try:
                there = base / Path(path).expanduser()
                setattr(own, key, str(there.absolute()))
                _read_config(own, there) if key == "config" else _read_patches(own, there)
            except (OSError, ValueError, RuntimeError) as error:  # also what can be no path at all
                _missing(own, document, key, f"{base / path}: {_words(error)}", origin)
    own.problems += own.user.problems
    own.notes += own.user.notes
    return own


def problems(cluster: Cluster, own: OwnFiles) -> list[OhmykubeError]:
    """Where the files contradict what the cluster must have, for each of its nodes, each place once."""
    found: dict[str, OhmykubeError] = {}
    for node, joining in nodes(cluster, None):
        for each in layers.problems(node, own.user, joining):
            found.setdefault(f"{each.context['path']} {each.context['origin']}", each)
    return list(found.values())


def notes(cluster: Cluster) -> list[str]:
    """What works, and still should be known."""
    if cluster_inventory.proxy_mode(cluster.as_data()["spec"]) != "ipvs":
        return []
    return ["kube-proxy's mode ipvs is deprecated since Kubernetes 1.35; nftables is in its place"]


def recorded(cluster: Cluster) -> User:
    """The user's documents as the wish carries them."""
    return of_list(cluster.spec.kubeadm.read.documents, "spec.kubeadm.config")


def nodes(
    cluster: Cluster, state: State | None, variables: Callable[[str], Mapping[str, object]] = lambda _: {}
) -> Iterator[tuple[Node, Joining | None]]:
    """Every node, and what it joins with, without secrets; the first control plane joins nothing.

    state: knows addresses; None where nothing is made yet. variables: what a provider says of a machine.
    """
    seen = {record.name: record for record in state.machines} if state else {}
    planned = [seen.get(spec.name) or MachineRecord.planned(spec) for spec in wanted(cluster)]
    records = tuple(replace(record, variables=record.variables or variables(record.name)) for record in planned)
    told = replace(state or State(cluster.name, cluster.spec.provider), machines=records).as_data()
    wish = cluster.as_data()
    for number, machine in enumerate(told["machines"]):
        yield cluster_inventory.kubeadm_node(wish, told, machine), _UNKNOWN if number else None


def documents(node: Node, joining: Joining | None, user: User) -> list[dict[str, Any]]:
    """As they would lie on the node, without secrets of the user's own either."""
    made = layers.join(node, user, joining) if joining else layers.init(node, user)
    return [_open(document) for document in made]


def _open(value: Any) -> Any:
    if isinstance(value, list):
        return [_open(item) for item in value]
    if isinstance(value, dict):
        called = value.get("name") if "value" in value else None  # a flag, or a variable of an environment
        return {key: _shown(str(called) if key == "value" else key, item) for key, item in value.items()}
    return value


def _shown(name: str, value: Any) -> Any:
    secret = isinstance(value, str) and value not in ("", "true", "false") and names_a_secret(name)
    return SECRET if secret else _open(value)


def _read_config(own: OwnFiles, path: Path) -> None:
    try:
        own.user = of_file(places.read(path.read_text(encoding="utf-8"), str(path)))
    except UnicodeDecodeError as error:
        own.problems.append(_unreadable(f"{path}:1: {error.reason}"))
    except OhmykubeError as error:
        own.problems.append(error)


def _read_patches(own: OwnFiles, folder: Path) -> None:
    """kubeadm passes over folders; files that hide are nobody's patches."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        own.problems.append(_unreadable(f"{folder}: there is no patch in this folder"))
    for path in files:
        try:
            own.patch_texts[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            own.problems.append(_unreadable(f"{path}:1: {error.reason}"))
    own.problems += patches.check(own.patch_texts, str(folder))


def _missing(own: OwnFiles, document: Document, key: str, words: str, origin: str) -> None:
    """A cluster that is there was made from the file, and remembers what it said."""
    kept = document.at((*_WHERE, "read", "documents" if key == "config" else "patches"))
    if not kept:
        own.problems.append(_unreadable(f"{words} ({origin})", f"spec.kubeadm.{key} is a path beside the cluster file"))
    elif key == "config":
        own.user = of_file(places.Placed(each, {(): origin}) for each in kept)
        own.notes.append(f"{words}; what it said before is used")
    else:
        own.patch_texts = dict(kept)
        own.notes.append(f"{words}; what was in it before is used")


def _unreadable(words: str, hint: str = "") -> OhmykubeError:
    return OhmykubeError("file.unreadable", words, hint=hint, exit_code=2)


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return str(getattr(error, "strerror", None) or error)
