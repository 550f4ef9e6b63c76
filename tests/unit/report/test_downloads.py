"""How far downloads are is read from what steps say of them; so this is tried with those who say it."""

from hypothesis import given
from hypothesis import strategies as st

from ohmykube import artifacts
from ohmykube.model.quantity import human_bytes
from ohmykube.report.downloads import Said, told


@given(st.integers(1, 2**36), st.lists(st.floats(0, 1), max_size=20))
def test_what_the_cache_says_of_a_package_is_understood(total, shares):
    said = []
    progress = artifacts._tenths(said.append)
    for share in (*sorted(shares), 1):
        progress("kubeadm v1.36.4", int(share * total), total)
    understood = [told(text) for text in said]
    assert {each.name for each in understood} == {"kubeadm v1.36.4"}
    assert [each.share for each in understood] == sorted(each.share for each in understood)
    assert understood[-1].share == 1
    assert human_bytes(understood[-1].total) == human_bytes(total)


def test_images_come_one_by_one():
    said = Said()
    for at, text in enumerate(["reg.test/a:1", "reg.test/a:1: 1.0 MiB of 4.0 MiB", "reg.test/b:1", "reg.test/c:1"]):
        said.take("images", text, float(at))
    said.take("images", "reg.test/c:1: 512 B of 2.0 KiB", 4.0)
    said.end("images", 6.0)
    found = [(each.name, each.start, each.end, each.bytes) for each in said.all(9.0)]
    assert found == [("reg.test/a:1", 0, 2, 4 * 2**20), ("reg.test/c:1", 3, 6, 2048)]


@given(st.text())
def test_other_words_are_no_download(text):
    found = told(text)
    assert found is None or 0 <= found.share <= 1
