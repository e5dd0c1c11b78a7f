"""What a release says of its licence and its authors: in the card's head, its text and its BibTeX, and in Croissant."""

import re
from dataclasses import replace

import imported_zoo
import pytest
import yaml

import zoo
from benchmark.cli import main
from zoo.hub.card import card
from zoo.hub.citation import About
from zoo.hub.croissant import LICENCES
from zoo.hub.release import release
from zoo.importers.source_zoo import write
from zoo.untrusted.json import strict_json

OURS = "The metazoo authors"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """An imported zoo of unknown licence."""
    folder = tmp_path_factory.mktemp("zoos") / "foreign"
    folder.mkdir()
    given = imported_zoo.foreign()
    provenance = replace(given.about.provenance, licence="not stated", citation="Doe et al. 1999", title="Their nets")
    write(replace(given, about=replace(given.about, provenance=provenance)), folder)
    return folder


def said(made) -> dict[str, object]:
    """All that a release says of licence and authors, wherever it does."""
    text = made.files["README.md"].decode()
    front, bibtex = yaml.safe_load(text.split("---")[1]), text.split("```bibtex\n")[1].split("```")[0]
    metadata = strict_json("croissant.json", made.files["croissant.json"])
    (line,) = re.findall(r"^This release: `([^`]*)`", text, re.M)
    assert metadata["citeAs"] == bibtex
    return {
        "licences": {front["license"], line, metadata["license"]},
        "creator": metadata.get("creator", {}).get("name"),
        "authors": re.findall(r"^  author = {(.*)},$", bibtex, re.M),
        "text": text,
    }


def test_an_imported_zoo_is_nobodys_of_unknown_licence_unless_its_publisher_says_more(foreign):
    found = said(release([foreign], name="x"))
    assert found["licences"] == {"unknown"}
    assert found["creator"] == "unknown"
    assert found["authors"] == ["unknown"]
    assert OURS not in found["text"]
    assert "note = {Doe et al. 1999}" in found["text"]
    assert "Made with" not in found["text"]


def test_a_zoo_that_was_built_here_keeps_its_licence_and_citation(standard):
    found = said(release([standard], name="x"))
    assert found["licences"] == {"cc-by-4.0", LICENCES["cc-by-4.0"]}
    assert found["creator"] is None
    assert found["authors"][0] == f"{{{OURS}}}"


def test_a_release_of_both_does_not_give_away_what_is_others(foreign, standard):
    found = said(release([standard, foreign], name="x"))
    assert found["licences"] == {"unknown"}
    assert found["creator"] == "unknown"
    assert found["authors"][:2] == ["unknown", f"{{{OURS}}}"]


@pytest.mark.parametrize("kind", ["built", "imported"])
def test_what_the_publisher_says_stands_everywhere(standard, foreign, tmp_path, monkeypatch, kind):
    folder, to = standard if kind == "built" else foreign, tmp_path / "to"
    arguments = ["publish", folder, "--to", to, "--licence", "mit"]
    arguments += ["--authors", "Doe, Jane", "--authors", "Roe, R."]
    monkeypatch.setattr("sys.argv", ["metazoo", *map(str, arguments)])
    monkeypatch.chdir(tmp_path)  # where no results are
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 0
    found = said(type("Laid", (), {"files": {path.name: path.read_bytes() for path in to.iterdir() if path.is_file()}}))
    assert found["licences"] == {"mit", LICENCES["mit"]}
    assert found["creator"] == "Doe, Jane and Roe, R."
    assert found["authors"][0] == "Doe, Jane and Roe, R."
    assert "unknown" not in found["text"].lower().replace("not known", "")


def test_what_a_source_says_cannot_leave_its_field(foreign):
    made = zoo.open(foreign)
    hostile = replace(made.spec.provenance, title="a}, b = {c\\", citation="``` @misc{x, author = {y}}")
    text = card({"a": replace(made, spec=replace(made.spec, provenance=hostile))}, About("x"), pictures={})
    bibtex = text.split("```bibtex\n")[1].split("```")[0]
    assert "title = {a, b = c}" in bibtex
    assert bibtex.count("{") == bibtex.count("}")
    assert bibtex.count("@misc{") == 2
