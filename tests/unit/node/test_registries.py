"""What containerd is told of registries."""

import base64
import json
import tomllib

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.registries import files, read_login
from hypothesis import given
from hypothesis import strategies as st

PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
ANN = base64.b64encode(b"ann:hush").decode()
FOLDER = "/etc/containerd/certs.d"


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text(PEM)
    return str(path)


@pytest.fixture
def logins(tmp_path):
    def write(**auths):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"auths": {name: {"auth": ANN} for name in auths.pop("names", auths)}}))
        return str(path)

    return write


def told(registries):
    """host → its hosts.toml, read."""
    made = {file["path"]: file for file in files(registries)}
    return {
        path.split("/")[4]: tomllib.loads(file.get("content") or file["secret_content"])
        for path, file in made.items()
        if path.endswith("hosts.toml")
    }


def test_mirrors_are_asked_in_their_order_before_the_registry():
    read = told({"docker.io": {"mirrors": ["http://a:5000", "https://b/v2/hub"]}})["docker.io"]
    assert read["server"] == "https://registry-1.docker.io"
    assert list(read["host"]) == ["http://a:5000", "https://b/v2/hub"]
    assert read["host"]["http://a:5000"] == {"capabilities": ["pull", "resolve"]}
    assert read["host"]["https://b/v2/hub"]["override_path"]


def test_all_others_have_no_server():
    assert "server" not in told({"_default": {"mirrors": ["http://a:5000"]}})["_default"]


def test_what_is_said_of_a_host_holds_where_it_is_a_mirror(pem, logins):
    registries = {
        "quay.io": {"mirrors": ["https://m:5000"]},
        "m:5000": {"ca": pem, "insecure": True, "credentials": logins(names=["m:5000"])},
    }
    read = told(registries)
    same = {"ca": f"{FOLDER}/m:5000/ca.crt", "skip_verify": True, "header": {"Authorization": f"Basic {ANN}"}}
    assert read["m:5000"] == {"server": "https://m:5000", **same}
    assert read["quay.io"]["host"]["https://m:5000"] == {"capabilities": ["pull", "resolve"], **same}


def test_files_with_a_login_are_for_root_alone(pem, logins):
    made = {
        file["path"]: file
        for file in files(
            {
                "quay.io": {"mirrors": ["https://m"]},
                "m": {"ca": pem, "credentials": logins(names=["m"])},
                "other": {"mirrors": ["https://n"]},
            }
        )
    }
    for host in ("quay.io", "m"):
        file = made[f"{FOLDER}/{host}/hosts.toml"]
        assert (file["mode"], "content" in file) == ("0600", False)
    assert "content" in made[f"{FOLDER}/other/hosts.toml"]
    assert made[f"{FOLDER}/m/ca.crt"]["content"] == PEM
    assert not any(file["restart"] for file in made.values())


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("reg:5000", "reg:5000"),
        ("reg", "https://reg"),
        ("reg", "https://reg/v2/"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_login_is_found_as_docker_keeps_it(logins, tmp_path, host, name):
    path = logins(names=[name])
    assert read_login(tmp_path / path, host) == f"Basic {ANN}"


@pytest.mark.parametrize(
    ("registry", "code", "words"),
    [
        ({"mirors": []}, "registry.unknown", "'mirors'"),
        ({"mirrors": ["mirror"]}, "registry.mirror", "'mirror' is no URL of a mirror"),
        ({"mirrors": ["https://ann:hush@m"]}, "registry.login", "https://m has a login"),
        ({"ca": "/nowhere"}, "registry.ca", "No such file"),
        ({"ca": "config"}, "registry.ca", "holds no certificate"),
        ({"credentials": "/nowhere"}, "registry.credentials", "No such file"),
        ({"credentials": "ca"}, "registry.credentials", "`docker login` has written"),
        ({"credentials": "list"}, "registry.credentials", "`docker login` has written"),
        ({"credentials": "config"}, "registry.credentials", "no login for reg"),
    ],
)
def test_what_cannot_be_used_is_told_without_its_secrets(tmp_path, registry, code, words):
    for name, text in {
        "ca": PEM,
        "list": "[]",
        "config": json.dumps({"auths": {"other": {"auth": ANN}}, "credsStore": "x"}),
    }.items():
        (tmp_path / name).write_text(text)
    named = {key: str(tmp_path / value) if isinstance(value, str) else value for key, value in registry.items()}
    with pytest.raises(OhmykubeError) as error:
        files({"reg": named})
    assert error.value.code == code
    assert words in error.value.message
    assert error.value.hint
    assert ANN not in str(error.value.as_dict())
    assert "hush" not in str(error.value.as_dict())


_KEYS = st.sampled_from(["auths", "reg", "auth"])
_ANYTHING = st.recursive(
    st.none() | st.just(ANN) | st.integers(),
    lambda part: st.dictionaries(_KEYS, part, max_size=3) | st.lists(part, max_size=2),
    max_leaves=6,
)


@given(_ANYTHING)
def test_no_file_of_logins_is_a_surprise(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any-config.json"
    path.write_text(json.dumps(data))
    try:
        assert read_login(path, "reg") == f"Basic {ANN}"
    except OhmykubeError as error:
        assert error.code == "registry.credentials"
