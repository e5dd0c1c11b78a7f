"""Pictures of the site of the project's own records: `python docs/screenshots.py`, with Playwright and Chromium."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmark.site.svg import slug
from benchmark.site.writing import write

ROOT = Path(__file__).parents[1]
PAGES = {  # name of a picture -> page, behind # what it shows, width, height
    "site-board": ("index.html", f"table=table-{slug('test_accuracy of cifar10-16px-resnet8 nets')}", 1400, 800),
    "site-phone": ("index.html", f"table=table-{slug('test_accuracy of cifar10-16px-resnet8 nets')}&show=r2", 390, 780),
    "site-metanet": (f"metanets/{slug('statnn')}.html", "", 1400, 800),
}


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium. Exits with a line where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium found; apt-get install chromium")
    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def shot(running: Browser, address: str, to: Path, width: int, height: int, *, scheme: str = "light") -> Path:
    """A picture of a page, as it looks in a window of so many pixels."""
    context = running.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.goto(address)
    page.screenshot(path=to)
    context.close()
    return to


def main(results: Path = ROOT / "data/results", to: Path = ROOT / "docs") -> None:
    """Writes the site of the records to a temporary folder, and a picture of each of PAGES."""
    with tempfile.TemporaryDirectory() as aside, browser() as running:
        out = write(results, Path(aside) / "site").parent
        for name, (page, at, width, height) in PAGES.items():
            print(shot(running, f"{(out / page).as_uri()}#{at}", to / f"{name}.png", width, height))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
