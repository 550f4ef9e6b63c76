"""A cluster of two machines that is well."""

from datetime import UTC, datetime, timedelta

import pytest

from ohmykube.doctor.machines import Patient
from ohmykube.model.machines import MachineSpec
from tests.unit.doctor.patients import PLANE, WORKER, Nodes, Provider, written


@pytest.fixture
def provider():
    return Provider(existing={PLANE: "running", WORKER: "running"})


@pytest.fixture
def nodes():
    made = Nodes()
    for said in made.said.values():
        said["time"] = 0  # whenever it is asked
    return made


@pytest.fixture
def patient(provider, nodes):
    machines = (
        MachineSpec(PLANE, "control-plane", "control-plane", 2, 4 * 2**30, 2**34),
        MachineSpec(WORKER, "worker", "worker", 1, 2 * 2**30, 2**34),
    )
    recorded = {PLANE: "10.0.0.1", WORKER: "10.0.0.2"}
    return Patient("dev", provider, machines, recorded, ready=True, ask=nodes.ask, resume=nodes.resume)


@pytest.fixture
def kubeconfig(tmp_path):
    return written(tmp_path / "kubeconfig", datetime.now(UTC) + timedelta(days=300))
