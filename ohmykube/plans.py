"""What the verbs do, as lists of phases: the five-minute tour starts here."""

from ohmykube.phases.addons import ApplyAddons
from ohmykube.phases.artifacts import FetchArtifacts, FetchImages
from ohmykube.phases.bake import KeepMachineImage, PrepareNodes
from ohmykube.phases.base import Overlapped, Phase, Together
from ohmykube.phases.images import KeepImages, Load, LoadImages
from ohmykube.phases.kubeconfig import WriteKubeconfig
from ohmykube.phases.kubernetes import InstallKubernetes
from ohmykube.phases.machines import MakeMachines, ReachMachines, RecordWish
from ohmykube.phases.nodes import JoinNodes, Removal, RemoveNodes
from ohmykube.phases.power import ResumeCluster, StartMachines, StopMachines
from ohmykube.phases.power_cuts import ForgetPowerCuts
from ohmykube.phases.preflight import Preflight
from ohmykube.phases.teardown import CleanUp, DeleteMachines, ResetMachines

UP: tuple[Phase, ...] = (
    Preflight(),
    RecordWish(),
    Together((MakeMachines(), FetchArtifacts(), FetchImages())),
    Overlapped(ReachMachines(), InstallKubernetes()),
    RemoveNodes(),
    WriteKubeconfig(),
)

ADD: tuple[Phase, ...] = (
    Preflight(),
    RecordWish(),
    Together((MakeMachines(), FetchArtifacts(), FetchImages())),
    Overlapped(ReachMachines(), JoinNodes()),
    RemoveNodes(),
    WriteKubeconfig(),
)


def delete(removal: Removal) -> tuple[Phase, ...]:
    return (RemoveNodes(removal),)


STOP: tuple[Phase, ...] = (ForgetPowerCuts(), StopMachines())

START: tuple[Phase, ...] = (
    StartMachines(),
    Overlapped(ReachMachines(), ResumeCluster()),
    WriteKubeconfig(),
)

DOWN: tuple[Phase, ...] = (
    ResetMachines(),
    DeleteMachines(),
    CleanUp(),
)


def addons(*, force: bool = False) -> tuple[Phase, ...]:
    """force: lose the data of those that go."""
    return Preflight(), RecordWish(), Together((FetchArtifacts(), FetchImages())), ApplyAddons(force)


def load(wish: Load) -> tuple[Phase, ...]:
    """The second phase needs what the first one found."""
    return KeepImages(wish), LoadImages(wish)


BAKE: tuple[Phase, ...] = (
    Preflight(),
    RecordWish(),
    Together((MakeMachines(), FetchArtifacts(), FetchImages(required=True))),
    Overlapped(ReachMachines(), PrepareNodes()),
    KeepMachineImage(),
    DeleteMachines(),
    CleanUp(),
)
