"""The page as text: whatever a record says, it is shown and nothing more."""

from html.parser import HTMLParser

from hypothesis import given

from ohmykube.report import page
from ohmykube.report.compare import compare
from tests.unit.report.records import line, records, run_of, up

VOID = {"meta", "link"}


class Reader(HTMLParser):
    """Checks that tags are closed in order; links: what a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [value for key, value in attrs if key in ("src", "href")]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@given(records(), records())
def test_any_run_becomes_a_page_without_links_or_foreign_tags(one, other):
    run = run_of(one)
    reader = Reader()
    reader.feed(page.render(run, compare(run, run_of(other))))
    reader.close()
    assert reader.open == []
    assert reader.links == ["data:,"]
    assert len(reader.ids) == len(set(reader.ids))


def test_what_others_wrote_stays_text():
    evil = "<img src=x onerror=alert(1)>'\"&"
    lines = [*up(), line(21, "error", code=evil, message=evil, hint=evil), line(21, "note", text=evil)]
    assert "<img" not in page.render(run_of(lines))


def test_times_read_well():
    assert [page.seconds(each) for each in (0, 0.124, 8.26, 59.97, 125, 3700)] == [
        "0.00 s", "0.12 s", "8.3 s", "1 m 00 s", "2 m 05 s", "1 h 01 m",
    ]  # fmt: skip


def test_what_was_waited_for_adds_up():
    run = run_of(up())
    assert abs(sum(share.seconds for share in page.shares(run)) - run.seconds) < 1e-6
