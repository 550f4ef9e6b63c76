"""The page in a real Chromium, with the network cut: opened, clicked, zoomed, on a phone, by keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ohmykube.report import page
from ohmykube.report.compare import compare
from tests.unit.report.browser import PROGRAM, Page, browser
from tests.unit.report.records import NAME, PLANE, WORKER, line, run_of, up

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

NODES = [f"dev-worker-{number}" for number in range(1, 8)]
BROAD = "a message whose one word is broad: " + "x" * 300


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.cut_network()
        yield opened


@pytest.fixture
def shown(chromium: Page, tmp_path: Path) -> Iterator[Page]:
    """A run with an error, many nodes and another run beside it; no request but for itself, no error of the script."""
    more = [line(22, "task", phase="Kubernetes", node=node, text="Join", seconds=1, status="ok") for node in NODES]
    run = run_of([*up(slow=1.5)[:-1], *more, line(23, "error", code="a.b", message=BROAD, hint=BROAD)])
    file = tmp_path / "report.html"
    file.write_text(page.render(run, compare(run, run_of(up()))))
    chromium.requests.clear()
    chromium.size(1280, 900)
    chromium.open(file)
    yield chromium
    assert chromium.requests == [file.as_uri()]
    assert chromium.problems == []


def details(shown: Page) -> str:
    text: str = shown.run("(each => each.hidden ? '' : each.innerText)(document.querySelector('#details'))")
    return text


def test_a_click_on_a_bar_shows_its_details(shown: Page) -> None:
    assert shown.run("document.querySelector('h1').innerText") == "up dev"
    assert details(shown) == ""
    shown.click('.bar[data-name="Make the cluster"]')
    assert "Make the cluster" in details(shown)
    for words in (PLANE, "9.0 s", "changed", "the run waited for it"):
        assert words in details(shown)
    shown.click(f'.bar[data-name="start"][data-node="{WORKER}"]')
    assert WORKER in details(shown)
    assert "Make the cluster" not in details(shown)
    shown.click("#details .close")
    assert details(shown) == ""


def test_a_phase_that_took_all_of_the_time_tells_it_within_its_bar(shown: Page, tmp_path: Path) -> None:
    long = [line(0.2, "start", phase="Kubernetes"), line(19.8, "done", phase="Kubernetes", seconds=19.6)]
    run = run_of([*up()[:2], *long, line(20, "end", status="ok")])
    (tmp_path / "report.html").write_text(page.render(run))
    shown.open(tmp_path / "report.html")
    left = "document.querySelector('{}').getBoundingClientRect().left"
    assert shown.run(f"{left.format('.phases .bar span')} >= {left.format('.phases .track')}")
    shown.requests.pop()


def test_what_the_end_waited_for_can_be_shown_alone(shown: Page) -> None:
    other = f'document.querySelector(\'.bar[data-name="Push the images"][data-node="{WORKER}"]\')'
    assert shown.run(f"getComputedStyle({other}).opacity") == "1"
    shown.click("#only-critical")
    assert float(shown.run(f"getComputedStyle({other}).opacity")) < 0.5
    assert shown.run("getComputedStyle(document.querySelector('.nodes .bar.critical')).opacity") == "1"


def test_nodes_can_be_shown_alone(shown: Page) -> None:
    def heights(node: str) -> list[int]:
        rows = (f'.lane[data-node="{node}"]', f'tr[data-node="{node}"]')
        return [shown.run(f"document.querySelector({row!r}).offsetHeight") for row in rows]

    assert all(heights(PLANE))
    shown.click(f'[data-filter="{WORKER}"]')
    assert heights(PLANE) == [0, 0]
    assert all(heights(WORKER))
    shown.click(f'[data-filter="{WORKER}"]')
    assert all(heights(PLANE))


def test_zoom_scrolls_the_timeline_and_not_the_page(shown: Page) -> None:
    ticks = "[...document.querySelectorAll('.axis .track span')].map((tick) => [tick.innerText, tick.style.left])"
    before = shown.run(ticks)
    assert before[:2] == [["0 s", "0%"], ["5 s", "21.7391%"]]
    shown.click('[data-zoom="2"]')
    shown.click('[data-zoom="0.5"]')
    assert [tick for tick, _ in shown.run(ticks)] == [tick for tick, _ in before]
    for _ in range(2):
        shown.click('[data-zoom="2"]')
    assert shown.run("document.querySelector('#zoom').innerText")[0] == "4"
    assert [tick for tick, _ in shown.run(ticks)][:3] == ["0 s", "2 s", "4 s"]
    assert shown.run("(g => g.scrollWidth > 2.5 * g.clientWidth)(document.querySelector('.gantt'))")
    assert shown.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_keyboard_reaches_every_bar(shown: Page) -> None:
    assert shown.run("document.querySelectorAll('.gantt .bar[tabindex=\"0\"]').length") == 1
    shown.run("document.querySelector('.gantt .bar[tabindex=\"0\"]').focus()")
    for _ in range(40):
        shown.press("ArrowDown")
    assert shown.run("document.activeElement.dataset.node") == NODES[-1]
    shown.press("Enter")
    assert NODES[-1] in details(shown)
    shown.press("Escape")
    assert details(shown) == ""


@pytest.mark.parametrize("width", [320, 380, 768])
@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_page_does_not_scroll_sideways(shown: Page, width: int, dark: bool) -> None:
    shown.size(width, 800, dark=dark, phone=True)
    assert shown.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert shown.run("(g => g.scrollWidth > g.clientWidth)(document.querySelector('.gantt'))") or width > 700
    assert shown.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128") == dark
    shown.click(".gantt .bar.changed")
    assert NAME not in details(shown)
    assert details(shown) != ""
    assert shown.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_words_stand_out_from_what_is_behind_them(shown: Page) -> None:
    """WCAG AA, of all words that stand directly on a plain ground."""
    for dark in (False, True):
        shown.size(1280, 900, dark=dark)
        assert shown.run(_CONTRAST) == []


_CONTRAST = """
(() => {
  const numbers = (color) => {
    const found = color.match(/[\\d.]+/g).map(Number);
    return color.startsWith("color(") ? found.map((each, i) => i < 3 ? each * 255 : each) : found;
  };
  const light = ([r, g, b]) => [r, g, b].map((each) => each / 255)
    .map((each) => each <= .03928 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4)
    .reduce((sum, each, i) => sum + each * [.2126, .7152, .0722][i], 0);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = numbers(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *")) {
    const words = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!words || !element.offsetHeight || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) weak.push(`${element.tagName}.${element.className} ${element.innerText}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(weak)];
})()
"""
