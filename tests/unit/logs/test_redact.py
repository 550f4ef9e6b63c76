"""No secret of any kind gets through, wherever in a text it stands; what is no secret stays as it is."""

import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import assume, given
from hypothesis import strategies as st

from ohmykube.logs.redact import LINE_MAX, REMOVED, lines, names_a_secret, text

LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
WORD = st.text(LOWER + "ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=8, max_size=30)
LOOSE = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)
FORMATS = (serialization.PrivateFormat.OpenSSH, serialization.PrivateFormat.PKCS8)


def pem(key: object, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


KEYS = [
    pem(key, form)
    for key in (
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    )
    for form in FORMATS
]


def body(key: str) -> list[str]:
    return key.splitlines()[1:-1]


@given(st.sampled_from(KEYS), LOOSE, LOOSE, st.integers(0, 8), st.sampled_from(["", "Nov 24 18:38:09 w1 kubelet[7]: "]))
def test_private_keys(key: str, before: str, after: str, indent: int, prefix: str) -> None:
    """Between other text, indented in YAML, behind a log's prefix, and in one line of JSON."""
    shown = "".join(f"{prefix}{' ' * indent}{line}\n" for line in key.splitlines())
    for whole in (
        f"{before}\n{shown}{after}",
        f'{before} {{"key": "{key.encode("unicode_escape").decode()}"}} {after}',
    ):
        told = text(whole)
        assert not any(line in told for line in body(key))
    assert text(f"before\n{shown}after\n").endswith("after\n")


@given(st.sampled_from(KEYS), st.integers(0, 30))
def test_a_key_whose_beginning_was_cut_off(key: str, cut: int) -> None:
    """As in a file of which only the end is taken."""
    rest = key.splitlines(keepends=True)[1:]
    told = text("".join(rest[min(cut, len(rest) - 2) :]) + "after\n")
    assert not any(line in told for line in body(key))
    assert told.endswith("after\n")


CONTEXTS = (
    "password: {}",
    "  DB_PASSWORD={}",
    'export API_KEY="{}"',
    '"token": "{}"',
    r"{{\"password\": \"{}\"}}",
    "--token={} --other",
    "kubeadm join --token {} --discovery",
    "Authorization: Bearer {}",
    "authorization: Basic {}",
    "curl -H 'Authorization: token {}'",
    "https://user:{}@mirror.example/v2/",
    "HTTPS_PROXY=http://{}@proxy:3128",
    "    client-key-data: {}",
    '{{"auths": {{"r.example": {{"auth": "{}"}}}}}}',
    "bearer {}",
    "certificate-key: {}",
    "registry.secret = '{}'",
    "- password: two words, {}",
    'password: "a \\"quoted\\" {}"',
    "password='it''s {}'",
    "--password 'two {}'",
    "x-token=a;b&c,{}",
)


@given(st.sampled_from(CONTEXTS), WORD, LOOSE, LOOSE)
def test_secrets_by_name_and_place(context: str, secret: str, before: str, after: str) -> None:
    assume(secret.lower() not in (before + after + context).lower() and secret not in REMOVED)
    assert secret not in text(f"{before}\n{context.format(secret)}\n{after}\n")


SHAPES = st.one_of(
    st.builds("{}.{}".format, st.text(LOWER, min_size=6, max_size=6), st.text(LOWER, min_size=16, max_size=16)),
    st.builds("eyJ{}.eyJ{}.{}".format, WORD, WORD, WORD),
    st.builds("ghp_{}{}".format, WORD, WORD),
    st.builds("AKIA{}".format, st.text("ABCDEFGHIJ0123456789", min_size=16, max_size=16)),
)


@given(SHAPES, st.sampled_from(["", " ", '"', "'", "(", "=", "\n", ","]))
def test_secrets_by_their_shape(secret: str, beside: str) -> None:
    assert secret not in text(f"some words{beside or ' '}{secret}{beside} and others\n")


PLAIN = [
    "Nov 24 18:38:09 w1 kubelet[7]: I1124 18:38:09.123456 7 server.go:415] Started kubelet\n",
    "sha256:4e4fcaab46e8447f85dbd0910ad366fec991e0c9edc14de9b423bc35fbf46e39\n",
    "registry.k8s.io/pause@sha256:4e4fcaab46e8447f85dbd0910ad366fec991e0c9edc14de9b423bc35fbf46e39\n",
    "10.244.0.2 dev dev-worker-1 fe80::1 2001:db8::1 https://10.0.0.1:6443/readyz\n",
    "secretName: kube-root  serviceAccountName: coredns  --client-cert-auth=true\n",
    "mount | grep /var/lib/kubelet/pods/00198c4a-6b91-40fc-b2c1-16f342c9cc1a/volumes/kubernetes.io~projected\n",
    "-----BEGIN CERTIFICATE-----\n",
]


@pytest.mark.parametrize("line", PLAIN)
def test_what_is_no_secret_stays(line: str) -> None:
    assert text(line) == line


@given(LOOSE, st.sampled_from([*CONTEXTS, *KEYS]), WORD)
def test_it_is_done_after_one_time(before: str, context: str, secret: str) -> None:
    once = text(f"{before}\n{context.replace('{}', secret)}\n")
    assert text(once) == once


def test_lines_that_are_too_long_are_left_out_and_none_takes_long() -> None:
    started = time.process_time()
    for unit in ("a", "-", "password ", "bearer ", "\\", "eyJa.", "://", "--token ", "A", '"', "aA1", "secret="):
        whole = unit * (LINE_MAX // len(unit) - 1)
        assert "".join(lines([f"{whole}\n"]))
    assert "".join(lines(["x" * (LINE_MAX + 2)])) == "[a line that was too long to be searched for secrets]\n"
    assert time.process_time() - started < 20


def test_names_of_secrets() -> None:
    for word in ("DB_PASSWORD", "apiToken", "AWS_SECRET_ACCESS_KEY", "MYSQL_PWD", "secret", "credentials"):
        assert names_a_secret(word)
    for word in ("LOG_LEVEL", "POD_NAME", "KUBERNETES_SERVICE_HOST"):
        assert not names_a_secret(word)
