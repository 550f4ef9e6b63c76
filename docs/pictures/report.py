"""Pictures of a run's report: on a computer in the light, and on a phone in the dark (report-phone.png).

\b
    python docs/pictures/report.py ~/.ohmykube/clusters/dev/runs/20261126T081500-up -o docs/pictures/report.png
"""

import sys
import tempfile
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.report.browser import browser


@click.command(help=__doc__)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "picture", type=click.Path(path_type=Path), required=True)
def main(run: Path, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as page:
        page.cut_network()
        page.ask("Emulation.setScrollbarsHidden", hidden=True)
        page.size(1100, 800)
        page.open(run.resolve() / "report.html")
        page.picture(picture)
        page.size(390, 844, dark=True, phone=True)
        page.picture(picture.with_stem(f"{picture.stem}-phone"))


if __name__ == "__main__":
    main()
