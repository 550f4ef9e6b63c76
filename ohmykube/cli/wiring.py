"""The one place where the parts meet: settings in, a Context for the phases out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmykube import sockets
from ohmykube.cli.clusters import Clusters
from ohmykube.errors import OhmykubeError, each, raise_all
from ohmykube.model.document import Document, parse
from ohmykube.model.machines import wanted
from ohmykube.phases.base import Context, Event
from ohmykube.providers import lookup
from ohmykube.providers.base import Provider, ProviderContext
from ohmykube.store.home import ClusterFolder
from ohmykube.store.machine_images import MachineImages
from ohmykube.store.state import State

if TYPE_CHECKING:  # what takes long to import, and is of no use to verbs that only look, is imported where it is used
    from ohmykube.artifacts import CachedArtifacts
    from ohmykube.model.load import Given
    from ohmykube.model.problem import Problem
    from ohmykube.model.spec import Cluster


@dataclass
class Session(Clusters):
    """One call of the command line. allow_unverified: set by the verbs that have that flag, before all else."""

    allow_unverified: bool = False

    @cached_property
    def artifacts(self) -> CachedArtifacts:
        from ohmykube.artifacts import CachedArtifacts

        overlays = self.settings.catalogue or tuple(Path(path) for path in self._recorded_catalogues())
        overlays = tuple(path.resolve() for path in overlays)
        return CachedArtifacts(self.home.cache, overlays, self.settings.offline, self.allow_unverified)

    def artifacts_of(self, folder: ClusterFolder) -> CachedArtifacts:
        """With the catalogues that the cluster was made from."""
        from ohmykube.artifacts import CachedArtifacts

        state = folder.read_state()
        overlays = tuple(Path(path) for path in state.catalogues) if state else ()
        return CachedArtifacts(self.home.cache, overlays, offline=True)

    @property
    def _named_by(self) -> str:
        from ohmykube.model.load import DEFAULT

        if not self.settings.name:
            return DEFAULT
        return "OHMYKUBE_NAME" if os.environ.get("OHMYKUBE_NAME") == self.settings.name else "--name"

    def stored(self, folder: ClusterFolder) -> Cluster:
        """The cluster as it was last wished."""
        from ohmykube.model import load

        document = parse(folder.spec_file.read_text(), str(folder.spec_file))
        spec = document.data.get("spec")
        version = spec.get("kubernetesVersion", "") if isinstance(spec, dict) else ""
        return load.build(folder.name, document=document, defaults={}, supported_versions=(version,))

    def glance(self, folder: ClusterFolder) -> tuple[dict[str, Any], Provider]:
        """`spec` of a cluster as it is written, and the provider, to see what is there: quick, for those who show many.

        What cannot be read so is read as by `stored`, with its errors.
        """
        found = folder.read_spec().get("spec")
        spec = found if isinstance(found, dict) else {}
        plain = all(isinstance(spec.get(key), str) for key in ("provider", "kubernetesVersion"))
        if not plain or spec["provider"] == "static":  # its machines are those of the file
            cluster = self.stored(folder)
            return cluster.as_data()["spec"], self.provider(cluster, folder)
        context = ProviderContext(folder.name, folder.path, self.home.path, folder.identity_file, folder.known_hosts)
        return spec, lookup.make(spec["provider"], context)

    def checked(self, cluster: Cluster) -> Cluster:
        """The same, after all that is asked of a cluster file. Raises OhmykubeError `spec.invalid`."""
        from ohmykube.model import load

        document = Document(cluster.as_data())
        versions = (cluster.spec.kubernetes_version,)
        return load.build(cluster.name, document=document, defaults={}, supported_versions=versions)

    def wished(self, file: Path | None, given: tuple[Given, ...]) -> Cluster:
        """The cluster that file, environment and flags describe; without a file, an existing one is the ground.

        Raises OhmykubeError `spec.*`, also for what an existing cluster cannot follow.
        """
        from ohmykube.model.changes import refuse

        cluster = self.described(file, given)
        folder = self.home.cluster(cluster.name)
        if folder.exists():
            refuse(self.stored(folder), cluster, made=self.made(folder))
        return cluster

    def described(self, file: Path | None, given: tuple[Given, ...]) -> Cluster:
        """The same, whatever a cluster of that name is now."""
        return self.resolved(file, given)[0]

    def resolved(self, file: Path | None, given: tuple[Given, ...]) -> tuple[Cluster, Document]:
        """It, and the layers that it comes from. Everything that is wrong in all files is told at once."""
        from ohmykube.model.members import with_gaps

        document = self._document(file)
        named = document is not None and document.at(("metadata", "name")) is not None
        name = (self.settings.name or "") if named else self.name

        def known(cluster: Cluster) -> Cluster:
            folder = self.home.cluster(cluster.name)
            return with_gaps(cluster, self.stored(folder)) if folder.exists() else cluster

        return self._resolved(name, document, given, file.parent if file else Path(), known)

    def begun(self, name: str, document: Document, given: tuple[Given, ...], beside: Path) -> Cluster:
        """The cluster that document and flags describe, whatever clusters there are.

        name: empty for the document's. beside: the folder that paths of the document count from.
        """
        return self._resolved(name, document, given, beside, lambda cluster: cluster)[0]

    def _resolved(
        self,
        name: str,
        document: Document | None,
        given: tuple[Given, ...],
        beside: Path,
        known: Callable[[Cluster], Cluster],
    ) -> tuple[Cluster, Document]:
        """known: with what is known of a cluster that is there."""
        from ohmykube import kubeadm_files
        from ohmykube.model import load

        defaults: dict[tuple[str | int, ...], str] = {
            ("spec", "kubernetesVersion"): self.artifacts.catalogue.default("kubeadm")
        }
        if not self._provider_named(document, given):
            provider, why = lookup.choose()
            defaults["spec", "provider"] = provider
            if why:
                self.events(Event("note", "", why))
        by = self._named_by
        layers = load.layers(name, document=document, given=given, defaults=defaults, name_from=by)
        own = kubeadm_files.read(layers, beside)
        try:
            versions = self.artifacts.catalogue.versions("kubeadm")
            cluster = load.validated(layers, versions, partial(_complete, beside))
        except OhmykubeError as error:
            raise_all([*each(error), *own.problems])
            raise
        cluster = own.into(known(cluster))
        raise_all([*own.problems, *kubeadm_files.problems(cluster, own)])
        for note in (*own.notes, *kubeadm_files.notes(cluster)):
            self.events(Event("note", "", note))
        return cluster, layers

    def described_anywhere(self, file: Path | None) -> Cluster:
        """`described`, where no provider has to be usable: what is fetched for a cluster does not depend on one."""
        return self.resolved_anywhere(file, ())[0]

    def resolved_anywhere(self, file: Path | None, given: tuple[Given, ...]) -> tuple[Cluster, Document]:
        from ohmykube.model.load import DEFAULT, Given

        try:
            return self.resolved(file, given)
        except OhmykubeError as error:
            if error.code != "provider.none":
                raise
            return self.resolved(file, (*given, Given(("spec", "provider"), "lima", DEFAULT)))

    @contextmanager
    def locked(self, name: str, verb: str) -> Iterator[ClusterFolder]:
        """The same; all that the verb tells is recorded, and its connections to the machines end with it."""
        from ohmykube.cli.recording import recorded

        def parts() -> Iterable[tuple[str, str, int]]:
            return self.artifacts.sizes(self.stored(self.home.cluster(name)))

        with super().locked(name, verb) as folder, recorded(self, folder, verb, parts), sockets.opened(folder.path):
            yield folder

    @property
    def machine_images(self) -> MachineImages:
        return MachineImages(self.home.cache / "machines")

    def context(
        self,
        cluster: Cluster,
        folder: ClusterFolder,
        kubeconfig: Path | None = None,
        *,
        names: tuple[str, ...] = (),
        prepared: bool = True,
    ) -> Context:
        """names: the machines that the verb works on; empty for all. prepared: whether they may begin with an image."""
        from ohmykube.ansible.playbooks import AnsiblePlaybooks
        from ohmykube.model.parts import hook_seconds

        state = folder.read_state() or State(cluster.name, cluster.spec.provider)
        machines = wanted(cluster)
        if self.recorder:
            from ohmykube.cli.recording import about

            self.recorder.write(about(cluster, machines))
        return Context(
            cluster=cluster,
            folder=folder,
            provider=self.provider(cluster, folder, prepared=prepared),
            playbooks=AnsiblePlaybooks(
                folder,
                self.home.path,
                offline=self.settings.offline,
                allow_unverified=self.allow_unverified,
                forks=min(len(machines), 20),
                hook_seconds=hook_seconds(cluster),
            ),
            artifacts=self.artifacts,
            events=self.events,
            machine_images=self.machine_images,
            machines=machines,
            parallel=self.settings.parallel,
            names=names,
            kubeconfig=kubeconfig,
            state=replace(state, catalogues=tuple(map(str, self.artifacts.overlays))),
        )

    def provider(self, cluster: Cluster, folder: ClusterFolder, *, prepared: bool = True) -> Provider:
        spec = cluster.spec
        static = spec.provider == "static"
        context = ProviderContext(
            cluster=cluster.name,
            directory=folder.path,
            home=self.home.path,
            identity_file=folder.identity_file,
            known_hosts=folder.known_hosts,
            template=spec.template,
            offline=self.settings.offline,
            reserved_networks=spec.network.cidrs,
            fetch=lambda component, architecture: self.artifacts.file(component, architecture),
            look_up=lambda component, architecture: self.artifacts.catalogue.artifact(component, architecture),
            machine_image=partial(self._machine_image, cluster) if prepared else lambda: None,
            hosts=wanted(cluster) if static else (),
            ssh=spec.ssh.model_dump(by_alias=True) if static else {},
        )
        return lookup.make(spec.provider, context)

    def _machine_image(self, cluster: Cluster) -> Path | None:
        return self.machine_images.find(cluster.image_name, self.artifacts.digest(cluster))

    def _document(self, file: Path | None) -> Document | None:
        if file is not None:
            return document_of(file)
        folder = self.home.cluster(self.name)
        return parse(folder.spec_file.read_text(), str(folder.spec_file)) if folder.exists() else None

    @staticmethod
    def _provider_named(document: Document | None, given: tuple[Given, ...]) -> bool:
        spec = document.data.get("spec") if document else None
        return (isinstance(spec, dict) and "provider" in spec) or any(g.path == ("spec", "provider") for g in given)

    def _recorded_catalogues(self) -> tuple[str, ...]:
        state = self.home.cluster(self.name).read_state()
        return state.catalogues if state else ()


def document_of(file: Path) -> Document:
    """A cluster file as it was written. Raises OhmykubeError `file.unreadable`, `file.syntax`."""
    return parse(_read(file), str(file))


def _complete(folder: Path, cluster: Cluster, problems: list[Problem]) -> Cluster:
    """With what the files say that lie beside the cluster file."""
    from ohmykube import addons
    from ohmykube.cli import paths

    return addons.resolved(folder, paths.resolved(folder, cluster, problems), problems)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        hint = "name a cluster file; `ohmykube up --help` shows one"
        context = {"path": file}
        raise OhmykubeError("file.unreadable", f"{file}: {words}", hint=hint, context=context, exit_code=2) from error
