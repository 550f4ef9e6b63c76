"""One role alone, on a bare host: containerd from Debian's packages, no Kubernetes."""

from collections.abc import Iterator

import pytest

from tests import distribution
from tests.hosts.plays import Site, site

pytestmark = pytest.mark.hosts

PLAY = """
- hosts: all
  become: true
  gather_facts: false
  roles: [ohmykube.cluster.containerd]
"""
BROKEN = r"""
- hosts: all
  become: true
  gather_facts: false
  tasks:
    - ohmykube.cluster.service:
        name: demo
        state: "{{ state | default('started') }}"
        files:
          - path: /etc/systemd/system/demo.service
            content: |
              [Service]
              Type=notify
              ExecStart=/bin/sh -c "echo I am broken; exit 3"
"""
CONFIG = "/etc/containerd/config.toml"
MIRROR = "/etc/containerd/certs.d/docker.io/hosts.toml"
PROXY = {"https_proxy": "http://user:hush-hush@192.0.2.1:3128"}


@pytest.fixture(scope="module")
def packages() -> distribution.Distribution:
    try:
        return distribution.ensure()
    except distribution.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def bare(packages: distribution.Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("containerd")
    with site("ctd", folder, OHMYKUBE_CATALOGUE=str(packages.catalogue), OHMYKUBE_OFFLINE="1") as made:
        yield made


@pytest.fixture
def host(bare: Site) -> Site:
    """With the role's own variables, whatever the test before has tried."""
    outcome = bare.play(PLAY)
    assert outcome.failed == 0, outcome.output
    return bare


def pid(host: Site) -> int:
    return int(host.run("systemctl", "show", "--property=MainPID", "--value", "containerd.service"))


def test_five_lines_end_with_a_container_that_runs(bare: Site, packages: distribution.Distribution) -> None:
    planned = bare.play(PLAY, "--check", "--diff")
    assert (planned.changed, planned.failed) == (2, 0), planned.output
    done = bare.play(PLAY, "--diff")
    assert (done.changed, done.failed) == (2, 0), done.output
    assert bare.play(PLAY).changed == 0

    bare.run("ctr", "images", "import", "-", stdin=packages.image)
    said = bare.run("ctr", "run", "--rm", distribution.BUSYBOX, "one", "echo", "I run")
    assert said == "I run\n"


def test_containers_outlive_a_changed_configuration(host: Site, packages: distribution.Distribution) -> None:
    host.run("ctr", "images", "import", "-", stdin=packages.image)
    host.run("ctr", "run", "--detach", distribution.BUSYBOX, "sleeper", "sleep", "600")
    before = pid(host)
    outcome = host.play(PLAY, "--diff", containerd_max_concurrent_downloads=7)
    assert outcome.changed == 1, outcome.output
    assert "max_concurrent_downloads = 7" in host.run("cat", CONFIG)
    assert pid(host) != before
    assert "RUNNING" in host.run("ctr", "tasks", "ls")
    host.run("ctr", "tasks", "kill", "--signal", "9", "sleeper")


def test_mirrors_come_and_go_without_a_restart(host: Site) -> None:
    before = pid(host)
    outcome = host.play(PLAY, containerd_registries={"docker.io": {"mirrors": ["http://192.0.2.9:5000"]}})
    assert outcome.changed == 1, outcome.output
    assert '[host."http://192.0.2.9:5000"]' in host.run("cat", MIRROR)
    assert pid(host) == before
    assert host.play(PLAY).changed == 1
    assert host.run("find", "/etc/containerd", "-mindepth", "1") == f"{CONFIG}\n"


def test_a_proxys_password_is_told_to_containerd_alone(host: Site) -> None:
    outcome = host.play(PLAY, "--diff", "-vvv", containerd_proxy=PROXY)
    assert outcome.changed == 1, outcome.output
    assert "hush-hush" in host.run("systemctl", "show", "--property=Environment", "containerd.service")
    assert "ohmykube-proxy.conf" in outcome.output
    assert "hush-hush" not in outcome.output
    assert "hush-hush" not in host.run("journalctl", "--no-pager")
    mode = host.run("stat", "--format=%a", "/etc/systemd/system/containerd.service.d/ohmykube-proxy.conf")
    assert mode == "600\n"


def test_a_replaced_binary_is_run(host: Site) -> None:
    before = pid(host)
    host.run("cp", "--preserve", "/usr/local/bin/containerd", "/usr/local/bin/containerd.new")
    host.run("mv", "/usr/local/bin/containerd.new", "/usr/local/bin/containerd")
    outcome = host.play(PLAY, containerd_install=False)
    assert outcome.changed == 1, outcome.output
    assert pid(host) != before


def test_a_service_that_does_not_start_says_why(host: Site) -> None:
    outcome = host.play(BROKEN)
    assert outcome.failed == 1
    assert "I am broken" in outcome.output
    assert host.play(BROKEN, state="absent").changed == 1
    assert host.run("systemctl", "--failed", "--no-legend") == ""


def test_absent_leaves_nothing_of_it_but_the_binaries(host: Site) -> None:
    outcome = host.play(PLAY, containerd_state="absent")
    assert (outcome.changed, outcome.failed) == (1, 0), outcome.output
    assert host.play(PLAY, containerd_state="absent").changed == 0
    left = host.run("find", "/etc", "/var/lib/ohmykube", "-name", "*containerd*", "-o", "-name", "crictl.yaml")
    assert left == ""
    assert host.run("systemctl", "show", "--property=LoadState", "--value", "containerd.service") == "not-found\n"
