"""Files of this computer that a cluster file names: where they are and what they hold."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.places import refusal
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read, read_script, script_sum
from ansible_collections.ohmykube.cluster.plugins.module_utils.registries import (
    check_mirror,
    read_ca,
    read_login,
    read_proxy,
)
from pydantic.alias_generators import to_camel

from ohmykube.errors import OhmykubeError
from ohmykube.model.custom import Hook, NodeFile
from ohmykube.model.document import Path as Place
from ohmykube.model.names import names_file
from ohmykube.model.parts import replaced
from ohmykube.model.problem import Problem
from ohmykube.model.spec import Cluster, Registry

_HINT = "a path that does not begin with / counts from the folder of the cluster file"


def resolved(folder: Path, cluster: Cluster, problems: list[Problem]) -> Cluster:
    """From here on paths are absolute, and a change of what such a file holds is a change of the wish.

    folder: what relative paths count from. problems: what cannot be read is added.
    """
    sources = _Sources(folder, problems)
    return sources.world(replaced(cluster, sources.hook, sources.file))


@dataclass(frozen=True)
class _Sources:
    folder: Path
    problems: list[Problem]

    def hook(self, place: Place, hook: Hook) -> Hook:
        if not hook.file:
            return hook
        path, sum_ = self._looked_at((*place, "file"), hook.file, lambda path: script_sum(read_script(path)))
        return hook.model_copy(update={"file": path, "sum": sum_})

    def file(self, place: Place, file: NodeFile) -> NodeFile:
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

    def world(self, cluster: Cluster) -> Cluster:
        """What nodes are told of registries, and of the way to them; what machines are made from. Read at each run."""
        spec = cluster.spec
        registries = {host: self._registry(host, registry) for host, registry in spec.registries.items()}
        files = {key: url for key, url in spec.proxy if key != "no_proxy" and url and "://" not in url}
        proxy = {
            key: self._looked_at(("spec", "proxy", to_camel(key)), file, read_proxy)[0] for key, file in files.items()
        }
        changed = {"registries": registries, "proxy": spec.proxy.model_copy(update=proxy), "template": spec.template}
        if names_file(spec.template):
            changed["template"] = self._looked_at(("spec", "template"), spec.template, lambda _: "")[0]
        return cluster.model_copy(update={"spec": spec.model_copy(update=changed)})

    def _registry(self, host: str, registry: Registry) -> Registry:
        place: Place = ("spec", "registries", host)
        for number, mirror in enumerate(registry.mirrors):
            try:
                check_mirror(mirror)
            except OhmykubeError as error:
                self.problems.append(Problem((*place, "mirrors", number), error.message, error.hint))
        looks = {"ca": read_ca, "credentials": lambda path: read_login(path, host)}
        named = {key: look for key, look in looks.items() if getattr(registry, key)}
        found = {key: self._looked_at((*place, key), getattr(registry, key), look)[0] for key, look in named.items()}
        return registry.model_copy(update=found)

    def _looked_at(self, place: Place, name: str, look: Callable[[Path], str]) -> tuple[str, str]:
        """Its absolute path, and what is told of it; nothing where it cannot be used."""
        path = Path(name)
        try:
            path = (self.folder / path.expanduser()).resolve()
            return str(path), look(path)
        except OhmykubeError as error:
            self.problems.append(Problem(place, error.message, error.hint or _HINT))
        except (OSError, ValueError, RuntimeError) as error:  # what can be no path at all
            self.problems.append(Problem(place, f"{name!r} is no path: {error}", _HINT))
        return str(path), ""
