"""The forms in which projects publish sums."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.checksums import algorithm, find_sum
from hypothesis import given
from hypothesis import strategies as st

A, B = "a1" * 32, "b2" * 32
LONG = "c3" * 64
SIGNED = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{A}  runc.amd64
{B}  runc.arm64
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
-----END PGP SIGNATURE-----
"""


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"{A}\n",
        A.upper(),
        f"{A}  tool\n",
        f"{A} *tool\n",
        f"{A}  ./dist/tool\n",
        f"{B}  other\n{A}  tool\n",
        f"{B}  tool.asc\n{B}  a-tool\n{A}  tool",
        f"SHA256 (tool) = {A}\n",
        f"{A}  tool\r\n{B}  other\r\n",
    ],
)
def test_found(text: str) -> None:
    assert find_sum(text, "tool") == A


@pytest.mark.parametrize(
    "text", [LONG, f"{LONG}  tool\n", f"{B}  other\n{LONG} *tool\n", f"SHA512 (tool) = {LONG}\n", f"{LONG[:-2]}  tool"]
)
def test_the_longer_kind(text: str) -> None:
    found = find_sum(text, "tool")
    assert found == (LONG if LONG in text else "")
    assert not found or algorithm(found) == "sha512"


def test_in_a_signed_file() -> None:
    assert find_sum(SIGNED, "runc.arm64") == B
    assert find_sum(SIGNED, "runc") == ""


@pytest.mark.parametrize("text", ["", "<html>404</html>", f"{A}  other", f"{A[:-1]}  tool", f"{A}0  tool", f"{A} tool"])
def test_not_found(text: str) -> None:
    assert find_sum(text, "tool") == ""


names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="/"), min_size=1, max_size=30)


@given(st.dictionaries(names, st.binary(min_size=32, max_size=32), min_size=2))
def test_each_line_is_found_by_its_own_name(sums: dict[str, bytes]) -> None:
    text = "".join(f"{value.hex()}  {name}\n" for name, value in sums.items())
    assert {name: find_sum(text, name) for name in sums} == {name: value.hex() for name, value in sums.items()}


@given(st.text(), names)
def test_any_text_gives_a_sum_or_nothing(text: str, name: str) -> None:
    assert len(find_sum(text, name)) in (0, 64)
