"""Bring everything that the cluster is made from into the cache of this computer."""

from dataclasses import dataclass

from ohmykube.errors import raise_all
from ohmykube.phases.base import Context, Event


class FetchArtifacts:
    title = "packages"

    def needed(self, context: Context) -> bool:
        return not context.artifacts.complete(context.cluster)

    def run(self, context: Context) -> None:
        context.artifacts.fetch(context.cluster, lambda text: context.step(self.title, text))
        context.changed += 1


@dataclass(frozen=True)
class FetchImages:
    """required: whether an image that cannot be had is an error; else the nodes are left to pull it themselves."""

    required: bool = False
    title: str = "images"

    def needed(self, context: Context) -> bool:
        return not context.artifacts.images_complete(context.cluster)

    def run(self, context: Context) -> None:
        new, errors = context.artifacts.fetch_images(context.cluster, lambda text: context.step(self.title, text))
        context.changed += new
        if self.required:
            raise_all(errors)
        for error in errors:
            image = error.context.get("image", "what kubeadm runs")
            context.events(Event("note", self.title, f"{image} is left to the nodes: {error.message}"))
