"""Files beside a cluster file: found from its folder, named with their line where they are not there, and compared."""

import json

import pytest

from ohmykube.cli.wiring import Session
from ohmykube.store.home import Home

TEXT = """\
metadata: {name: dev}
spec:
  provider: static
  hosts:
    - name: cp1
      address: 127.0.0.1
      role: control-plane
      files: [{path: /etc/motd, source: ./motd}]
  network: {loadBalancer: none}
  kubeadm: {config: kubeadm.yaml}
  hooks:
    preSystem:
      - {name: setup, file: scripts/setup.sh}
  files:
    - {path: /opt/tree, source: tree}
  registries:
    reg.example: {ca: ca.pem, credentials: logins.json}
  proxy: {httpsProxy: proxy.txt, noProxy: [corp.example]}
"""
BESIDE = {
    "scripts/setup.sh": "echo hush\n",
    "motd": "",
    "kubeadm.yaml": "",
    "tree/leaf": "",
    "ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "logins.json": '{"auths": {"reg.example": {"auth": "YTpi"}}}',
    "proxy.txt": "http://ann:hush@proxy.example:3128\n",
}


@pytest.fixture
def file(tmp_path):
    """A cluster file in a folder that is not the current one."""
    path = tmp_path / "project" / "dev.yaml"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


@pytest.fixture
def complete(file):
    for name, text in BESIDE.items():
        (file.parent / name).parent.mkdir(exist_ok=True)
        (file.parent / name).write_text(text)
    return file


@pytest.fixture
def wish(run, complete, monkeypatch):
    """What `up` would record."""
    seen = []
    original = Session.described

    def described(self, *args):
        seen.append(original(self, *args))
        return seen[-1]

    monkeypatch.setattr(Session, "described", described)
    monkeypatch.setattr(Session, "provider", lambda *_, **__: _NoMachines())

    def plan(expected=0):
        code, out, err = run("plan", "-f", complete, "-o", "json")
        assert code == expected, err
        return seen[-1], json.loads(out)["data"]["steps"]

    return plan


class _NoMachines:
    def machines(self):
        return []


def test_what_is_missing_is_named_with_its_line(run, file):
    code, _, err = run("plan", "-f", file)
    assert code == 2
    for name, line in {"motd": 8, "kubeadm.yaml": 10, "scripts/setup.sh": 13, "tree": 15}.items():
        assert f"{file.parent / name}: there is no such file ({file}:{line})" in err
    for name, line in {"ca.pem": 17, "logins.json": 17, "proxy.txt": 18}.items():
        assert f"{file.parent / name}: No such file or directory ({file}:{line})" in err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scripts/setup.sh", b"\x7fELF\xff", "no text in UTF-8"),
        ("motd", bytes(2**20 + 1), "larger than 1 MiB"),
        ("ca.pem", b"x", "holds no certificate"),
        ("logins.json", b"{}", "holds no login for reg.example"),
        ("proxy.txt", b"hush", "holds no URL of a proxy"),
    ],
)
def test_what_cannot_be_used_is_named(run, complete, name, content, words):
    (complete.parent / name).write_bytes(content)
    code, _, err = run("plan", "-f", complete)
    assert code == 2
    assert words in err
    assert "hush" not in err


def test_a_tree_may_not_bring_what_roles_write(run, complete):
    complete.write_text(TEXT.replace("/opt/tree", "/etc"))
    (complete.parent / "tree" / "hosts").write_text("")
    code, _, err = run("plan", "-f", complete)
    assert code == 2
    assert (
        f"/etc/hosts is seen to by ohmykube's own roles, which have variables for what is in it ({complete}:15)" in err
    )


def test_the_wish_has_absolute_paths_and_changes_with_what_they_hold(complete, wish):
    cluster, _ = wish()
    spec, folder = cluster.spec, complete.parent
    assert spec.kubeadm.config == str(folder / "kubeadm.yaml")
    assert spec.hooks.pre_system[0].file == str(folder / "scripts/setup.sh")
    assert spec.proxy.https_proxy == str(folder / "proxy.txt")
    registry = spec.registries["reg.example"]
    assert (registry.ca, registry.credentials) == (str(folder / "ca.pem"), str(folder / "logins.json"))
    assert (spec.files[0].source, spec.hosts[0].files[0].source) == (str(folder / "tree"), str(folder / "motd"))

    home = Home.from_environment().cluster("dev")
    home.make()
    home.write_spec(cluster.as_data())
    assert [step["action"] for step in wish()[1]] == ["create"]
    for name in ("motd", "tree/leaf", "scripts/setup.sh"):
        (folder / name).write_text("changed")
    assert [(step["action"], step["what"], step["detail"]) for step in wish()[1]][1:] == [
        ("place", "all nodes", "file /opt/tree"),
        ("run", "all nodes", "run hook setup (preSystem)"),
        ("place", "cp1", "file /etc/motd"),
    ]
