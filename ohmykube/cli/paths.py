"""Files of this computer that a cluster file names: where they are and what they hold."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.places import refusal
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read, read_script, script_sum

from ohmykube.errors import OhmykubeError
from ohmykube.model.custom import Hook, Hooks, NodeFile
from ohmykube.model.document import Path as Place
from ohmykube.model.spec import Cluster, Custom
from ohmykube.model.validate import Problem

_HINT = "a path that does not begin with / counts from the folder of the cluster file"


def resolved(folder: Path, cluster: Cluster, problems: list[Problem]) -> Cluster:
    """From here on paths are absolute, and a change of what such a file holds is a change of the wish.

    folder: what relative paths count from. problems: what cannot be read is added.
    """
    sources = _Sources(folder, problems)
    custom = {place: sources.custom(place, part) for place, part in cluster.custom_parts()}
    spec = cluster.spec
    workers = [group.model_copy(update=custom["spec", "workers", n]) for n, group in enumerate(spec.workers)]
    hosts = [host.model_copy(update=custom["spec", "hosts", n]) for n, host in enumerate(spec.hosts)]
    changed = {
        **custom["spec",],
        "kubeadm": spec.kubeadm.model_copy(update={"config": sources.kubeadm_config(spec.kubeadm.config)}),
        "control_plane": spec.control_plane.model_copy(update=custom["spec", "controlPlane"]),
        "workers": tuple(workers),
        "hosts": tuple(hosts),
    }
    return cluster.model_copy(update={"spec": spec.model_copy(update=changed)})


@dataclass(frozen=True)
class _Sources:
    folder: Path
    problems: list[Problem]

    def kubeadm_config(self, config: str) -> str:
        if not config:
            return config
        return self._looked_at(("spec", "kubeadm", "config"), config, read_script)[0]

    def custom(self, place: Place, part: Custom) -> dict[str, Any]:
        """The fields of a part that may name files."""
        hooks = {
            key: tuple(self._hook((*place, "hooks", moment, number), hook) for number, hook in enumerate(found))
            for key, (moment, found) in zip(Hooks.model_fields, part.hooks.moments(), strict=True)
        }
        files = tuple(self._file((*place, "files", number), file) for number, file in enumerate(part.files))
        return {"hooks": part.hooks.model_copy(update=hooks), "files": files}

    def _hook(self, place: Place, hook: Hook) -> Hook:
        if not hook.file:
            return hook
        path, sum_ = self._looked_at((*place, "file"), hook.file, lambda path: script_sum(read_script(path)))
        return hook.model_copy(update={"file": path, "sum": sum_})

    def _file(self, place: Place, file: NodeFile) -> NodeFile:
        if not file.source:
            return file

        def look(path: Path) -> str:
            source = read(path)
            for target in (posixpath.join(file.path, name) for name in source.files if name):
                if words := refusal(target):
                    raise OhmykubeError("files.path", f"{target} {words}", hint="take it out of the source")
            return source.sum

        path, sum_ = self._looked_at((*place, "source"), file.source, look)
        return file.model_copy(update={"source": path, "sum": sum_})

    def _looked_at(self, place: Place, name: str, look: Callable[[Path], str]) -> tuple[str, str]:
        """Its absolute path, and what is told of it; nothing where it cannot be used."""
        path = (self.folder / Path(name).expanduser()).resolve()
        try:
            return str(path), look(path)
        except OhmykubeError as error:
            self.problems.append(Problem(place, error.message, error.hint or _HINT))
            return str(path), ""
