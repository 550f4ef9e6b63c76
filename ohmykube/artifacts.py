"""The cluster's packages, manifests and images in this computer's cache. The logic is the collection's."""

import hashlib
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils import cilium, requirements
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.sets import artifact as addon_artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.sets import members
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache_entry import Entry
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from ohmykube.errors import OhmykubeError
from ohmykube.images.pull import Pulled, Puller, Repository
from ohmykube.images.wanted import of_cluster
from ohmykube.model.quantity import human_bytes
from ohmykube.model.spec import Cluster

_REACH_TIMEOUT = 4.0  # seconds for one look at a mirror
_WAY_OUT = (
    "go online once (`ohmykube cache pull`, `ohmykube image pull -f FILE`), or lay a mirror over the catalogue "
    "(--catalogue FILE); `ohmykube image add ARCHIVE` brings images too"
)


def architecture() -> str:
    """This computer's architecture, which is also its machines'."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


@dataclass(frozen=True)
class CachedArtifacts:
    """See `ohmykube.phases.base.Artifacts`. root: the home's cache folder.

    allow_unverified: whether what nobody has a sum for is taken too.
    """

    root: Path
    overlays: tuple[Path, ...]
    offline: bool
    allow_unverified: bool = False

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue.load(self.overlays)

    @cached_property
    def packages(self) -> Cache:
        return Cache(self.root / "packages")

    @cached_property
    def images(self) -> ImageCache:
        return ImageCache(self.root / "images")

    def file(self, component: str, arch: str) -> Path:
        """A verified file kept as it came: a machine image, the limactl release."""
        artifact = self.catalogue.artifact(component, arch)
        path: Path = self.packages.raw(artifact, offline=self.offline, allow_unverified=self.allow_unverified)
        return path

    def complete(self, cluster: Cluster) -> bool:
        return not self._unusable(self.wanted(cluster))

    def digest(self, cluster: Cluster) -> str:
        """See the protocol. Images count as far as the catalogue knows them."""
        cni = cluster.spec.network.cni
        wanted = [artifact for artifact in self.wanted(cluster) if artifact.members or artifact.component == cni]
        kept = [self.packages.find(artifact) for artifact in wanted if artifact.members]
        references = sorted({reference for artifact in wanted for reference in artifact.images})
        images = [self.images.find(reference, architecture()) for reference in references]
        if None in kept or None in images:
            return ""
        sums = sorted({entry.sha256 for entry in (*kept, *images) if entry})
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

    def fetch(self, cluster: Cluster, on_step: Callable[[str], None]) -> None:
        self.pull(self.wanted(cluster), on_step)

    def pull(self, wanted: Sequence[Artifact], on_step: Callable[[str], None]) -> list[tuple[Entry, bool]]:
        """The entry of each, and whether it is new; the cache downloads what it lacks. Raises as `Cache.ensure_all`."""
        absent = self._unusable(wanted)
        on_step(", ".join(f"{artifact.component} {artifact.version}" for artifact in absent))
        files = [artifact for artifact in wanted if artifact.url]
        entries = self.packages.ensure_all(
            files, offline=self.offline, allow_unverified=self.allow_unverified, progress=_tenths(on_step)
        )
        return [(entry, artifact in absent) for artifact, entry in zip(files, entries, strict=True)]

    def images_complete(self, cluster: Cluster) -> bool:
        if self.offline:
            return True
        if self._unusable(self._for_charts(cluster)):  # they say what they run when they are rendered
            return False
        names, unknown = of_cluster(self.wanted(cluster))
        return not unknown and all(self.images.find(name, architecture()) for name in names)

    def fetch_images(self, cluster: Cluster, on_step: Callable[[str], None]) -> tuple[int, list[OhmykubeError]]:
        pulled = self.ensure_images(cluster, on_step)
        return sum(new for _, new in pulled.images), pulled.errors

    def ensure_images(self, cluster: Cluster, on_step: Callable[[str], None]) -> Pulled:
        """What the cluster runs, and why some of it cannot be had. An image that is here stays as it is.

        What charts run is known once they are here, so they are fetched too. Raises as `pull`.
        """
        self.pull(self._for_charts(cluster), on_step)
        names, unknown = of_cluster(self.wanted(cluster))
        found = {name: self.images.find(name, architecture()) for name in names}
        absent = [name for name, image in found.items() if image is None]
        pulled = self.pull_images(absent, architecture(), on_step) if absent else Pulled()
        kept = [(image, False) for image in found.values() if image]
        return Pulled([*pulled.images, *kept], [*unknown, *pulled.errors])

    def pull_images(
        self, references: Sequence[str], arch: str, on_step: Callable[[str], None], insecure: Sequence[str] = ()
    ) -> Pulled:
        """See `Puller.pull`. insecure: hosts of registries that are spoken to by plain HTTP."""

        def connect(repository: str) -> Repository:
            from ohmykube.images.registry import Registry

            return Registry(repository, insecure=repository.partition("/")[0] in insecure)

        return Puller(self.root / "images", connect, self.offline).pull(references, arch, on_step)

    def wanted(self, cluster: Cluster) -> list[Artifact]:
        """Every package and manifest of a cluster, and what is nothing but images; its add-ons too."""
        spec = cluster.as_data()["spec"]
        names = [*requirements.packages(spec), *requirements.manifests(spec), *requirements.images(spec)]
        charts = self._charts(cluster)
        addons = [addon_artifact(addon, charts, architecture()) for addon in members(spec["addons"])]
        found = [self.catalogue.artifact(item["component"], architecture(), item["version"]) for item in names]
        if spec["network"]["cni"] == "cilium":  # of which the chart says what it runs
            others = [artifact for artifact in found if artifact.component != cilium.COMPONENT]
            found = [*others, cilium.artifact(spec, charts, architecture())]
        return [
            *found,
            *addons,
            *([charts.helm] if self._for_charts(cluster) else []),
        ]

    def _charts(self, cluster: Cluster) -> Charts:
        return Charts(self.catalogue, self.packages.find, self.root.parent / "tools", cluster.spec.kubernetes_version)

    def _for_charts(self, cluster: Cluster) -> list[Artifact]:
        """What it takes to render those that the cluster has: charts of the catalogue, and helm."""
        spec = cluster.as_data()["spec"]
        addons = [addon for addon in members(spec["addons"]) if addon.chart]
        fetched = [(addon.fetched, addon.version) for addon in addons if addon.fetched]
        own = [item for item in requirements.manifests(spec) if item["component"] == cilium.COMPONENT]
        fetched += [(item["component"], item["version"]) for item in own]
        charts = [self.catalogue.artifact(name, architecture(), version) for name, version in fetched]
        return [*charts, self._charts(cluster).helm] if addons or own else []

    def sizes(self, cluster: Cluster) -> list[tuple[str, str, int]]:
        """Of all that the cluster is made from and that is in the cache: name, version, bytes."""
        wanted = self.wanted(cluster)
        kept = [(artifact, self.packages.find(artifact)) for artifact in wanted]
        packages = [(artifact.component, artifact.version, entry.size) for artifact, entry in kept if entry]
        names, _ = of_cluster(wanted)
        found = [(name, self.images.find(name, architecture())) for name in names]
        return packages + [(name, "", image.size) for name, image in found if image]

    def defaults(self) -> list[Artifact]:
        """Everything in the catalogue, in the version that is meant where none is named."""
        artifacts = []
        for component in self.catalogue.components():
            with suppress(OhmykubeError):  # it has none for this architecture
                artifacts.append(self.catalogue.artifact(component, architecture()))
        return artifacts

    def missing(self, cluster: Cluster) -> list[OhmykubeError]:
        absent = [artifact for artifact in self._unusable(self.wanted(cluster)) if not _local(artifact)]
        if not self.offline:
            return _unreachable(absent)
        names = [f"package {artifact.name}" for artifact in absent]
        names += [f"image {reference}" for reference in self._uncached_images(cluster)]
        if not names:
            return []
        words = f"--offline, but {len(names)} of the things this cluster needs are not in the cache:"
        return [OhmykubeError("cache.missing", "\n  ".join([words, *names]), hint=_WAY_OUT)]

    def _unusable(self, wanted: Sequence[Artifact]) -> list[Artifact]:
        """Files that the cache does not have in a form that we take."""
        files, allowed = [artifact for artifact in wanted if artifact.url], self.allow_unverified
        return [artifact for artifact in files if not self.packages.usable(artifact, allow_unverified=allowed)]

    def _uncached_images(self, cluster: Cluster) -> list[str]:
        """As far as the catalogue knows them: the node asks its own kubeadm once more."""
        wanted = {reference for artifact in self.wanted(cluster) for reference in artifact.images}
        return sorted(reference for reference in wanted if self.images.find(reference, architecture()) is None)


def _tenths(on_step: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Says how far each download is: at its beginning, and ten times more at most."""
    said: dict[str, int] = {}

    def progress(name: str, done: int, total: int) -> None:
        tenth = done * 10 // total if total else -1
        if tenth > said.get(name, -1):
            said[name] = tenth
            on_step(f"{name}: {tenth * 10} % of {human_bytes(total)}")

    return progress


def _local(artifact: Artifact) -> bool:
    return artifact.url.startswith("file:")


def _unreachable(artifacts: Sequence[Artifact]) -> list[OhmykubeError]:
    """What cannot be had now, asked for all at once."""
    from ansible_collections.ohmykube.cluster.plugins.module_utils.download import open_url

    def look(artifact: Artifact) -> str:
        try:
            open_url(artifact.url, _REACH_TIMEOUT, logins=artifact.logins, method="HEAD").close()
        except OSError as error:
            return f"{artifact.name} from {artifact.url}: {getattr(error, 'reason', error)}"
        return ""

    with ThreadPoolExecutor(max_workers=max(1, len(artifacts))) as pool:
        found = [words for words in pool.map(look, artifacts) if words]
    if not found:
        return []
    words = f"{len(found)} of the things this cluster needs are neither cached nor reachable:"
    hint = f"set HTTPS_PROXY where a proxy is needed; {_WAY_OUT}"
    return [OhmykubeError("cache.unreachable", "\n  ".join([words, *found]), hint=hint)]
