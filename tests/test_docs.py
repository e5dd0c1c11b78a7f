"""The documentation: each page is there, each link leads somewhere, and the reference names all there is."""

import importlib
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ROOT
from verbs import VERBS, parameters

import metazoo

PAGES = runpy.run_path(str(ROOT / "docs/pages.py"))
NAV = list(PAGES["nav"]())
SOURCES = {name: ROOT / name for name in NAV if name not in PAGES["GENERATED"]}


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    """The pages as Zensical is given them."""
    out = tmp_path_factory.mktemp("pages")
    PAGES["collect"](out)
    return out


def dead(page: Path, root: Path) -> list[str]:
    """The links of a page that lead to no file below `root`, or to no heading there."""
    found = []
    for file, anchor in PAGES["links"](page.read_text()):
        target = (page.parent / file).resolve() if file else page
        there = target.is_file() and target.is_relative_to(root)
        if not there or (anchor and anchor not in {name for _, name, _ in PAGES["headings"](target.read_text())}):
            found.append(f"{file}#{anchor}" if anchor else file)
    return found


def test_the_navigation_names_every_page_once():
    folders = ("docs", "zoo", "metanets", "benchmark")
    written = {path for folder in folders for path in (ROOT / folder).rglob("*.md") if path.parent.name != "templates"}
    assert len(NAV) == len(set(NAV))
    assert {*SOURCES.values()} == {*written, *ROOT.glob("*.md")}


@pytest.mark.parametrize("name", SOURCES)
def test_every_link_and_anchor_leads_to_something(name):
    assert dead(ROOT / name, ROOT) == []


def test_every_link_leads_to_something_in_the_site_too(collected):
    assert {name: bad for name in NAV if (bad := dead(collected / name, collected.resolve()))} == {}


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "a.md").write_text(
        "# A b\n[1](#a-b) [2](#c) [3](b.md) `[4](c.md)` [5](../d.md) [6](https://x.y)\n```\n# C\n```\n"
    )
    assert dead(tmp_path / "a.md", tmp_path) == ["#c", "b.md", "../d.md"]


def test_a_section_is_included_with_its_links_as_seen_from_the_page(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "README.md").write_text("# R\n## It's one\nsee [x](in/x.md#y), [here](#r)\n### deeper\n## two\n")
    (tmp_path / "in/page.md").write_text("# P\n\n> [R](../README.md#its-one)\n\nend\n")
    made = PAGES["page"](tmp_path / "in/page.md")
    assert made == "# P\n\nsee [x](x.md#y), [here](../README.md#r)\n### deeper\n\nend\n"
    with pytest.raises(ValueError, match="no heading #three; there are r, its-one, deeper, two"):
        PAGES["section"]((tmp_path / "README.md").read_text(), "three")


def test_the_command_reference_names_every_verb_and_what_it_takes():
    parts = re.split(r"^### (.*)$", PAGES["command_line"](), flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert told.keys() == VERBS.keys()
    for verb, text in told.items():
        assert f"metazoo {verb}" in text
        for parameter in parameters(verb):
            (word, *_) = parameter.given("x")
            if word.startswith("--"):
                assert f"`{word.partition('=')[0]}`" in text, verb


def test_the_python_reference_names_every_public_name():
    text = (ROOT / "docs/reference/python.md").read_text()
    assert all(f"::: metazoo.{name}\n" in text or f"mz.{name}`" in text for name in metazoo.__all__)
    for module, name in re.findall(r"^::: (\S+)\.(\w+)$", text, flags=re.MULTILINE):
        assert getattr(importlib.import_module(module), name).__doc__


def test_the_fields_of_specs_and_records_are_told_with_their_comments():
    text = PAGES["fields"]()
    assert "| `batch` | `Count` | `512` | images a step; the last partial batch of an epoch is dropped |" in text
    assert "| `schema` | `Literal['metazoo-record-3']` |" in text


class Site(HTMLParser):
    """What a page of the site has: what may be linked to, and what it asks for."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.page, self.anchors, self.asked = page, set(), []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors.add(given.get("id"))
        if tag in ("a", "img", "script", "link"):
            self.asked += [(tag, link) for link in (given.get("href"), given.get("src")) if link]


def test_the_site_is_built_with_no_dead_link_and_asks_no_other_server():
    done = subprocess.run([sys.executable, ROOT / "docs/pages.py"], capture_output=True, text=True, cwd=ROOT, check=True)
    first = Path(done.stdout.splitlines()[-1])
    pages = {path: Site(path) for path in first.parent.rglob("*.html") if path.name != "404.html"}
    assert len(pages) == len(NAV)
    for path, site in pages.items():
        for tag, link in site.asked:
            file, _, anchor = link.partition("#")
            if re.match("https?:|mailto:", link):
                assert tag == "a", (path, link)
                continue
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), (path, link)
            assert not anchor or anchor in pages[target].anchors, (path, link)
