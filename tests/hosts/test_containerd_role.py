"""One role alone, on a bare host: containerd from Debian's packages, no Kubernetes."""

import base64
import json
import platform
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import distribution
from tests.hosts.plays import Site, site
from tests.unit.cache.proxy import UPSTREAM, proxy
from tests.unit.images.registry import PROGRAM, USERS, serve

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
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
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


@pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
def test_a_registry_that_wants_a_login_and_has_an_authority_of_its_own(host: Site, tmp_path: Path) -> None:
    """The registry is itself, then the mirror of another one that nobody can reach."""
    folder, gateway = tmp_path / "registry", host.run("sh", "-c", "ip -4 route show default").split()[2]
    with serve(folder) as open_to_all:
        open_to_all.push_single("app", ARCH, b"the file", "v1")
    (folder / "users").write_text(USERS)
    tls, auth = certificate(tmp_path, gateway), {"htpasswd": {"realm": "r", "path": str(folder / "users")}}
    with serve(folder, auth, host=gateway, tls=tls) as registry:
        logins = tmp_path / "config.json"
        word = base64.b64encode(b"ann:secret").decode()
        logins.write_text(json.dumps({"auths": {registry.address: {"auth": word}}}))
        own: dict[str, object] = {"ca": str(tls[0]), "credentials": str(logins)}
        unreachable = {"registry.invalid": {"mirrors": [f"https://{registry.address}"]}}

        assert "certificate" in pull(host, f"{registry.address}/app:v1")
        assert host.play(PLAY, containerd_registries={registry.address: {"insecure": True}}).changed == 1
        assert "no basic auth credentials" in pull(host, f"{registry.address}/app:v1")
        outcome = host.play(PLAY, "--diff", "-vvv", containerd_registries={registry.address: own, **unreachable})
        assert outcome.changed == 1, outcome.output
        for name in (registry.address, "registry.invalid"):
            assert pull(host, f"{name}/app:v1") == ""
        assert word not in outcome.output
        assert host.run("stat", "--format=%a", f"/etc/containerd/certs.d/{registry.address}/hosts.toml") == "600\n"
    missing = host.play(PLAY, containerd_registries={"a": {"credentials": "/nowhere"}})
    assert missing.failed == 1
    assert "/nowhere: No such file" in " ".join(missing.output.split())


@pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
def test_images_come_through_a_proxy_and_past_it_where_it_is_not_wanted(host: Site, tmp_path: Path) -> None:
    """The proxy wants a password, and is the only one that finds the registry's name."""
    gateway = host.run("sh", "-c", "ip -4 route show default").split()[2]
    with serve(tmp_path / "registry", host=gateway) as registry:
        for name in ("far", "near"):
            registry.push_single(name, ARCH, name.encode(), "v1")
        names = {name: {"mirrors": [f"http://{name}"]} for name in (UPSTREAM, registry.address)}
        with proxy(int(registry.address.rpartition(":")[2]), "hush-hush", host=gateway) as way:
            told = {"http_proxy": way.url, "no_proxy": gateway}
            outcome = host.play(PLAY, containerd_registries=names, containerd_proxy=told)
            assert outcome.changed == 1, outcome.output
            assert pull(host, f"{UPSTREAM}/far:v1") == ""
            assert f"GET http://{UPSTREAM}/v2/far/" in "".join(way.asked)
            way.asked.clear()
            assert pull(host, f"{registry.address}/near:v1") == ""
            assert way.asked == []
            wrong = {"http_proxy": way.url.replace("hush", "wrong")}
            host.play(PLAY, containerd_registries=names, containerd_proxy=wrong)
            assert "407" in pull(host, f"{UPSTREAM}/far:v1")


def pull(host: Site, image: str) -> str:
    """What went wrong; empty where nothing did."""
    line = f"ctr images pull --hosts-dir /etc/containerd/certs.d {image} >/tmp/said 2>&1 || cat /tmp/said"
    return host.run("sh", "-c", line)


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """That vouches for itself, and its key, in PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files = folder / "ca.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, kind, serialization.NoEncryption()))
    return files


def test_a_proxy_may_be_named_in_a_file(host: Site, tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text(PROXY["https_proxy"] + "\n")
    outcome = host.play(PLAY, "--diff", containerd_proxy={"https_proxy": str(tmp_path / "proxy"), "no_proxy": "a"})
    assert outcome.changed == 1, outcome.output
    said = host.run("systemctl", "show", "--property=Environment", "containerd.service")
    assert f"HTTPS_PROXY={PROXY['https_proxy']} NO_PROXY=a" in said
    assert "hush-hush" not in outcome.output


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
