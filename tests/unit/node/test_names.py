"""The block in /etc/hosts."""

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.node.names import FILES, Name, plan

from tests.unit.node.machine import Machine

NAMES = [Name("cp1", "10.0.0.1"), Name("w1", "10.0.0.2"), Name("api.dev", "10.0.0.1")]
BLOCK = "# BEGIN ohmykube\n10.0.0.1 cp1 api.dev\n10.0.0.2 w1\n# END ohmykube\n"


def test_appended_replaced_in_place_and_removed(machine: Machine) -> None:
    apply_all(plan(machine.host, NAMES))
    assert machine.read("/etc/hosts") == "127.0.0.1 localhost\n" + BLOCK
    assert plan(machine.host, NAMES) == []

    machine.write("/etc/hosts", "127.0.0.1 localhost\n" + BLOCK + "10.9.9.9 mine\n")
    apply_all(plan(machine.host, NAMES[:1]))
    assert machine.read("/etc/hosts").splitlines()[2:] == ["10.0.0.1 cp1", "# END ohmykube", "10.9.9.9 mine"]

    apply_all(plan(machine.host, []))
    assert machine.read("/etc/hosts") == "127.0.0.1 localhost\n10.9.9.9 mine\n"
    assert plan(machine.host, []) == []


def test_a_last_line_without_its_end_is_not_joined(machine: Machine) -> None:
    machine.write("/etc/hosts", "127.0.0.1 localhost")
    apply_all(plan(machine.host, NAMES))
    assert machine.read("/etc/hosts") == "127.0.0.1 localhost\n" + BLOCK


def test_the_template_of_cloud_init_gets_it_too_where_there_is_one(machine: Machine) -> None:
    machine.write(FILES[1], "127.0.1.1 {{fqdn}}\n")
    apply_all(plan(machine.host, NAMES))
    assert machine.read(FILES[1]).endswith(BLOCK)


def test_a_machine_without_the_file_gets_one(machine: Machine) -> None:
    (machine.root / "etc/hosts").unlink()
    assert plan(machine.host, []) == []
    apply_all(plan(machine.host, NAMES))
    assert machine.read("/etc/hosts") == BLOCK
