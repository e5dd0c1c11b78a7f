"""What the files of the site are: pages of all tasks, of each metanet and of each zoo, that work from files.

Whatever stands in records comes from others: Jinja2 escapes it, files are named by slugs, and nothing in it is a link
unless it is an http(s) URL. The same records and zoos give the same bytes.
"""

import json
import math
import re
import shlex
import unicodedata
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.leaderboard.columns import CERTIFICATES, HEADS, number
from benchmark.leaderboard.latex_csv import to_csv
from benchmark.scoring.software import software
from benchmark.site import pages as contents
from benchmark.site.site_data import Source, gathered
from benchmark.site.svg import slug
from benchmark.site.unchanged import GENERATOR
from metanets.table import RECIPES
from zoo.storage import files

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("style.css", "page.js")
CITATION = """@software{metazoo,
  title = {metazoo: the benchmark suite for metanetworks},
  author = {{The metazoo authors}},
  year = {2026},
}
@inproceedings{lim2024empirical,
  title = {The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof},
  author = {Lim, Derek and Putterman, Theo and Walters, Robin and Maron, Haggai and Jegelka, Stefanie},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2024},
}"""
ABOUT = contents.Page({"citation": CITATION}, ())


def site(results: Path, zoo_folders: list[Path], project: str | None = None) -> dict[str, bytes]:
    """The site's files by their path in it; `project` is the project's address, to which code links.

    Raises ValueError where that is no http(s) URL, and as `leaderboard` and `zoo.open` do.
    """
    if project is not None and not web_address(project):
        raise ValueError(f"{project!r} is no address of a project; expected an http(s) URL")
    source = gathered(results, zoo_folders)
    cells = source.board.cells
    pages = [("index.html", "index.html", "", contents.index(source)), ("about.html", "about.html", "", ABOUT)]
    for name in cells["metanet"].unique():
        pages.append((f"metanets/{slug(name)}.html", "metanet.html", "../", contents.metanet(name, source)))
    for label, file in _zoo_pages(source).items():
        pages.append((file, "zoo.html", "../", contents.zoo(label, source)))
    names = [file for file, *_ in pages]
    if twice := [file for file in names if names.count(file) > 1]:
        raise ValueError(f"{twice[0]} would be two pages: two names have the same slug; remove the records of one")
    labels = _zoo_pages(source)
    beside = [named for *_, page in pages for named in page.files]
    given = {"labels": labels, "project": project.rstrip("/") if project else ""}
    rendered = [(file, _rendered(template, page, root=root, **given)) for file, template, root, page in pages]
    assets = [(name, (TEMPLATES / name).read_bytes()) for name in ASSETS]
    downloads = [("cells.csv", to_csv(cells).encode(errors="replace")), ("cells.json", _json(cells))]
    return dict([*assets, *downloads, *beside, *rendered])


def _rendered(template: str, page: contents.Page, **given: object) -> bytes:
    return _environment().get_template(template).render(**given, **page.values).encode(errors="replace")


@cache
def _environment() -> Environment:
    """What the templates, compiled once, are rendered with: everything escaped, and printable."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.finalize = lambda value: printable(value) if type(value) is str else value  # Markup is no plain str
    environment.filters |= {"slug": slug, "url": web_address, "in_words": in_words, "score": number, "shell": shlex.quote}
    environment.globals |= {
        "generator": GENERATOR,
        "version": _version(),
        "recipes": RECIPES,
        "heads": HEADS,
        "certificates": CERTIFICATES,
    }
    return environment


def _version() -> str:
    """The version that is installed."""
    found = software()
    return found.version if found else "not installed"


def printable(text: str) -> str:
    """Text without control characters, such as those that turn the direction of writing; lines and spaces stay."""
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\t\r\n" or unicodedata.category(letter) == "Zs"


def web_address(value: object) -> str:
    """The value where it is an http(s) URL, else nothing."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[!-~]{1,2000}", value):
        return ""
    try:
        return value if urlsplit(value).hostname else ""
    except ValueError:
        return ""


def in_words(value: object) -> str:
    """A value of JSON as a line of text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {in_words(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _json(cells: pd.DataFrame) -> bytes:
    """The cells as JSON, which has no NaN and nothing infinite: null."""
    rows = cells.to_dict("records")
    return files.to_json([{str(key): None if _is_no_number(x) else x for key, x in row.items()} for row in rows])


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _zoo_pages(source: Source) -> dict[str, str]:
    """The page of each zoo, by label."""
    cells = source.board.cells
    labels = [*dict.fromkeys([*cells["zoo"], *cells["fitted_on"], *source.connected, *source.opened])]
    return {label: f"zoos/{slug(label)}.html" for label in labels}
