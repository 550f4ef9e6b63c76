"""Which images are meant: named one by one, or by what lists them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.spec import Cluster


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line. charts are rendered with values; a manifest `-` is stdin."""

    references: tuple[str, ...] = ()
    manifests: tuple[Path, ...] = ()
    charts: tuple[str, ...] = ()
    values: tuple[Path, ...] = ()
    versions: tuple[str, ...] = ()
    file: Path | None = None


class Sources(Protocol):
    """What lists are made from; see `ohmykube.artifacts`."""

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def offline(self) -> bool: ...

    def wanted(self, cluster: Cluster) -> list[Artifact]: ...


@dataclass(frozen=True)
class Tools:
    """What is asked for only where a wish needs it. stdin: all of it. helm: the program. cluster: reads a file."""

    stdin: Callable[[], str]
    helm: Callable[[], Path]
    cluster: Callable[[Path], Cluster]


def references(wishes: Wishes, sources: Sources, tools: Tools, arch: str) -> list[str]:
    """In the order of the wishes, each once.

    Raises OhmykubeError `manifest.*`, `chart.*`, `catalogue.*`, `file.unreadable` or `spec.*`.
    """
    found = list(wishes.references)
    for manifest in wishes.manifests:
        text = tools.stdin() if str(manifest) == "-" else _text(manifest)
        found += _some(workload_images(text, str(manifest)), str(manifest))
    if wishes.charts:
        from ohmykube.images.charts import chart_images, refuse_remote

        if sources.offline:
            refuse_remote(wishes.charts)
        helm, kubernetes = tools.helm(), sources.catalogue.default("kubeadm")
        for chart in wishes.charts:
            found += _some(chart_images(helm, chart, wishes.values, kubernetes), chart)
    for version in wishes.versions:
        found += _kubernetes(sources.catalogue.artifact("kubeadm", arch, version))
    if wishes.file:
        names, unknown = of_cluster(sources.wanted(tools.cluster(wishes.file)))
        raise_all(unknown)
        found += names
    return list(dict.fromkeys(found))


def of_cluster(artifacts: Iterable[Artifact]) -> tuple[list[str], list[OhmykubeError]]:
    """What the packages and manifests of a cluster run, as far as it is known; and `catalogue.no-images` where not."""
    found: list[str] = []
    unknown: list[OhmykubeError] = []
    for each in artifacts:
        try:
            found += _kubernetes(each) if each.component == "kubeadm" else each.images
        except OhmykubeError as error:
            unknown.append(error)
    return found, unknown


def _kubernetes(kubeadm: Artifact) -> tuple[str, ...]:
    """Its list is its own: the catalogue has it for the versions that somebody has asked."""
    if not kubeadm.images:
        raise OhmykubeError(
            "catalogue.no-images",
            f"The catalogue does not know which images {kubeadm.name} runs.",
            hint="On a node `kubeadm config images list` says it: name them, or extend an overlay (--catalogue FILE).",
            context={"component": kubeadm.component, "version": kubeadm.version},
        )
    return kubeadm.images


def _some(images: list[str], name: str) -> list[str]:
    if not images:
        raise OhmykubeError(
            "image.none-listed", f"{name} has no workload that runs an image.", hint="Is it the right file?"
        )
    return images


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise OhmykubeError("file.unreadable", f"{path}: {words}", context={"path": path}, exit_code=2) from error
