"""The picture of the site in `docs/`, of the records in git: `python docs/screenshots.py`, with Playwright and Chromium."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmark.site.writing import write

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 1240, 720  # pixels; tables are less wide than the text above them


def main(results: Path = ROOT / "data/results", to: Path = ROOT / "docs/site-board.png") -> None:
    """Writes the site of the records to a temporary folder, and a picture of its table over all tracks.

    It takes the system's Chromium, and exits with a line where there is none.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium found; apt-get install chromium")
    with tempfile.TemporaryDirectory() as aside, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, offline=True)
        page.goto(write(results, Path(aside) / "site").as_uri())
        page.locator("#tracks").evaluate("heading => heading.scrollIntoView()")
        page.screenshot(path=to)
        browser.close()
    print(to)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
