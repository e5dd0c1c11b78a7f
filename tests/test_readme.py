"""The READMEs: their code runs, they name every file of their rooms, and their boards are those of the records in git."""

import multiprocessing
import re
import runpy
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT
from test_house import ROOMS

from benchmark.cli.main import app
from benchmark.leaderboard.columns import brief
from benchmark.leaderboard.leaderboard import Leaderboard, leaderboard
from benchmark.leaderboard.tables import to_markdown
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import Training

HOUSE = [name for name in ROOMS if not name.endswith(".py")]
READMES = {name: ROOT / name / "README.md" for name in (".", "zoo", "metanets/dmc", "benchmark", *HOUSE)}
CODE = re.compile(r"```(bash|python)\n(.*?)```", flags=re.DOTALL)
PAGES = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "docs/how-to").glob("*.md"))}
TEXTS = {name: path.read_text() for name, path in {**READMES, **PAGES}.items()}
WITH_CODE = [name for name, text in TEXTS.items() if CODE.search(text)]
BLOCK = re.compile(r"```.*?```", flags=re.DOTALL)
FILE = re.compile(r"`([\w./-]+\.(?:py|cpp|h))`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
NUMBERS = sorted({*(str(path.relative_to(ROOT)) for path in READMES.values()), *PAGES, "benchmark/speed/README.md"})
NUMBERS += ["docs/findings.md", "docs/fair-comparison.md"]
DERIVED = re.compile(r"^(?:.*mean±standard deviation.*\n|<!-- \w+ -->)\n(?:\|.*\n)+(?:\nattainable by.*\n)?", re.MULTILINE)
COMMAND = re.compile(r"(?:`|^)(?:metazoo\s\w+|python)\s", re.MULTILINE)
SCORE = re.compile(r"(?<![\w.])(?<!width )[+-]?[01]?\.\d{2,3}(?![\d.])")
HEREDOC = re.compile(r"cat > (\S+) <<END\n(.*?\n)END\n", flags=re.DOTALL)


@pytest.fixture(scope="session")
def results(standard, asymmetric, tmp_path_factory):
    """Records of two metanets on the small zoos; tests must not change them."""
    out = tmp_path_factory.mktemp("readme") / "results"
    training = Training(epochs=2, batch=8, learning_rates=(5e-3,))
    score([standard, asymmetric], ["statnn", "gp_hyper_parameters"], "test_accuracy", out=out, seeds=2, training=training)
    return out


@pytest.fixture
def folder(standard, asymmetric, results, tmp_path, monkeypatch):
    """A folder as the blocks of the rooms expect it: two zoos and records of them, and one core."""
    for name, made in {"zoos/standard": standard, "zoos/w_asymmetric": asymmetric, "results": results}.items():
        shutil.copytree(made, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 1)
    server = multiprocessing.get_context("forkserver")  # has loaded PyTorch, which takes new processes most of their time
    server.set_forkserver_preload(["benchmark.scoring.score", "zoo.jobs.workers"])
    monkeypatch.setattr(multiprocessing, "get_context", lambda method=None: server)
    return tmp_path


def run(language: str, code: str) -> None:
    """Runs a block as it stands: Python; or, of the shell, files written by `cat` and commands of metazoo."""
    if language == "python":
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
        return
    for name, text in HEREDOC.findall(code):
        Path(name).write_text(text)
    for line in filter(None, HEREDOC.sub("", code).replace("\\\n", " ").splitlines()):
        command, *arguments = shlex.split(line, comments=True)
        assert command == "metazoo", f"the test runs metazoo and `cat > FILE <<END` only, found: {line}"
        assert app(arguments, standalone_mode=False) in (None, 0), line


@pytest.mark.parametrize("name", WITH_CODE)
def test_the_readmes_commands_and_code_run_as_they_stand(name, folder):
    if name == ".":  # builds its own
        for made in ("zoos", "results"):
            shutil.rmtree(folder / made)
    if name == "docs/how-to/own-metanet.md":  # includes the file that it goes on with
        Path("own.py").write_text(dict(HEREDOC.findall(TEXTS["metanets"]))["own.py"])
    for language, code in CODE.findall(TEXTS[name]):
        run(language, code)


@pytest.mark.parametrize("name", READMES)
def test_every_room_has_a_readme_that_is_short(name):
    lines = [line for line in READMES[name].read_text().splitlines() if not line.startswith("|")]  # boards are of records
    assert len(lines) <= (150 if name == "." else 90)


def files_of(room: str) -> list[str]:
    """The source files of a room, by their paths in it; a folder in it that has a README tells of its own."""
    place = ROOT / room
    inner = [path.parent for path in place.glob("*/**/README.md")]
    found = [
        file for file in sorted(place.rglob("*")) if file.suffix in (".py", ".cpp", ".h") and file.name != "__init__.py"
    ]
    return [str(file.relative_to(place)) for file in found if not any(file.is_relative_to(other) for other in inner)]


@pytest.mark.parametrize("name", [name for name in READMES if name != "."])
def test_every_file_of_a_room_has_its_line_in_the_rooms_readme(name):
    lines = [line for line in READMES[name].read_text().splitlines() if line.startswith("- `")]
    assert [file for file in files_of(name) if not any(f"`{file}`" in line.split(": ")[0] for line in lines)] == []


@pytest.mark.parametrize("name", [*READMES, "benchmark/speed"])
def test_every_file_that_a_readme_names_exists(name):
    places = (ROOT / name, ROOT)
    text = BLOCK.sub("", (ROOT / name / "README.md").read_text())
    named = {*FILE.findall(text), *LINK.findall(text)}
    assert named
    assert [file for file in sorted(named) if not any((place / file).exists() for place in places)] == []


@pytest.fixture(scope="module")
def in_git() -> Leaderboard:
    """The leaderboard of the records in git."""
    return leaderboard(ROOT / "data/results")


def test_the_boards_in_the_readmes_are_those_of_the_records_in_git(in_git):
    """Each stands once, in a README or in docs/boards.md; `python docs/boards.py` writes them all."""
    texts = [path.read_text() for path in (*READMES.values(), ROOT / "docs/boards.md")]
    cells = in_git.boards()
    first, *boards = [to_markdown(board).strip() for board in (brief(cells[0]), *cells)]  # the first page shows less
    assert first in READMES["."].read_text()
    assert sum(text.count("| metanet |") for text in texts) == len(cells) + 1
    for board in boards:
        assert sum(board in text for text in texts) == 1


def test_the_final_table_and_those_of_the_findings_are_of_the_records_in_git(in_git):
    final = leaderboard(ROOT / "data/final")
    assert runpy.run_path(str(ROOT / "docs/boards.py"))["final"](final) == (ROOT / "docs/final.md").read_text()
    text = (ROOT / "docs/findings.md").read_text()
    known = {ROOT / "data/results": in_git.cells, ROOT / "data/final": final.cells}
    assert runpy.run_path(str(ROOT / "docs/findings.py"))["page"](text, known) == text
    assert text.count("<!-- ") == len(re.findall(r"<!-- \w+ -->\n\|", text)) > 0


@pytest.fixture(scope="module")
def sentences() -> dict[str, Any]:
    """What docs/sentences.py has."""
    return runpy.run_path(str(ROOT / "docs/sentences.py"))


def test_the_numbers_in_sentences_are_those_of_the_records_in_git(in_git, sentences):
    """`python docs/sentences.py` writes them."""
    written = sentences["pages"](in_git)
    assert [name for name, text in written.items() if (ROOT / name).read_text() != text] == []


def test_numbers_are_put_where_their_phrase_stands(sentences):
    text = "It has\n.90 [.85, -0.12], and more."
    assert (
        sentences["written"](text, "It has {:.2f} [{:.2f}, {:+.1f}]", [0.951, -0.5, 1])
        == "It has\n.95 [-.50, +1.0], and more."
    )
    assert sentences["written"]("at 49,200 / 12", "at {:,.0f} / {:.0f}", [1e6, float("inf")]) == "at 1,000,000 / more seeds"
    for phrase, values in {"It had {:.2f}": [1], "It has {:.2f}": [1, 2]}.items():
        with pytest.raises(ValueError, match=r"expected once|argument 2"):
            sentences["written"](text, phrase, values)


def underived(name: str, text: str, phrases: dict[str, dict[str, Any]], pattern: Callable[[str], str]) -> list[str]:
    """The scores on a page that follow from no record, in paragraphs (and their tables) that name no command."""
    for phrase in phrases.get(name, ()):
        text = re.sub(pattern(phrase), "", text)
    parts = re.split(r"\n\n+(?!\||```)", BLOCK.sub(lambda block: block[0].replace("\n\n", "\n"), DERIVED.sub("", text)))
    plain = (re.sub(r"`[^`]+`", "", BLOCK.sub("", part)) for part in parts if not COMMAND.search(part))
    return [found for part in plain for found in SCORE.findall(part)]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_score_on_a_page_follows_from_records_or_has_its_command_beside_it(name, sentences):
    text = (ROOT / name).read_text()
    assert underived(name, text, sentences["PHRASES"], sentences["pattern"]) == []


def test_a_score_that_nothing_gives_is_found(sentences):
    text = "It has R² .95 there.\n\n`metazoo score ZOO`:\n\n| .97 |\n\nOf width .25, as `.5` is.\n"
    assert underived("a.md", text, sentences["PHRASES"], sentences["pattern"]) == [".95"]


def test_every_record_in_git_has_its_predictions():
    paths = sorted(path for name in ("results", "strength") for path in (ROOT / "data" / name).glob("**/seed-*.json"))
    assert paths
    for path in paths:
        frame = records.read_predictions(path, records.read(path))
        assert set(frame["split"]) == {"validation", "test"}
