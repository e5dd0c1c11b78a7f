"""What the command line says of itself: examples, missing words, names that the shell completes."""

import hashlib
import inspect
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from made_records import put
from typer.testing import CliRunner
from verbs import VERBS, run

from benchmark.cli import completion
from benchmark.cli.terminal import app
from benchmark.cli.verb import Verb
from metanets import METANETS
from zoo.importers.import_zoo import IMPORTERS
from zoo.spec.spec import SPECS

WHOLE = typer.main.get_command(app)
COMMANDS = {
    verb: WHOLE.commands[verb] if verb in WHOLE.commands else WHOLE.commands["reference"].commands[verb[10:]]
    for verb in VERBS
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_ends_with_an_example_that_can_be_read(verb):
    assert isinstance(COMMANDS[verb], Verb)
    said = COMMANDS[verb].epilog
    begin, words = "Example: metazoo ", said.removeprefix("Example: metazoo ")
    assert said.startswith(begin)
    given = shlex.split(words)
    rest = given[len(verb.split()) :]
    assert " ".join(given[: len(given) - len(rest)]) == verb
    COMMANDS[verb].make_context(verb, rest, parent=typer.Context(WHOLE))  # raises on a wrong line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score"], "Missing: zoo_folders, --metanet"),
        (["build"], "Missing: SPEC, --out"),
        (["submit", "x", "--contact", "me"], "Missing: --code, --citation, --external-data"),
        (["compare", "mean"], "Missing argument 'B'"),
        (["score", "x", "--metanet", "mean", "--seeds", "many"], "Invalid value for '--seeds'"),
    ],
)
def test_all_that_is_missing_is_said_at_once(words, said):
    found = CliRunner().invoke(app, words, env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert found.exit_code == 2
    assert said in found.output


@pytest.mark.parametrize("words", [["-h"], ["score", "-h"], ["import", "-h"]])
def test_h_is_help(words):
    assert CliRunner().invoke(app, words).output == CliRunner().invoke(app, [*words[:-1], "--help"]).output


@pytest.mark.parametrize("kind", IMPORTERS)
def test_the_help_of_a_format_names_all_its_options(kind):
    said = CliRunner().invoke(app, ["import", kind, "--help"]).output
    options = [one.name for one in inspect.signature(IMPORTERS[kind]).parameters.values() if one.kind is one.KEYWORD_ONLY]
    assert options
    assert [name for name in options if f"`{name}`" not in said] == []


def test_the_help_of_no_format_names_those_that_there_are(monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "import", "state-dict", "--help")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "state-dicts" in err


def test_names_are_completed(tmp_path, monkeypatch):
    assert completion.specs("digits-mlp-s") == [name for name in SPECS if name.startswith("digits-mlp-s")]
    assert set(completion.metanets("")) == {*METANETS, "all"}
    for name in ("zoos/one", "zoos/two", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "zoos/two/zoo.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert completion.zoos("zo") == ["zoos/"]
    assert completion.zoos("zoos/") == ["zoos/two", "zoos/one/"]
    assert completion.zoos(f"{tmp_path}/zoos/t") == [f"{tmp_path}/zoos/two"]
    assert completion.zoos("none/x") == completion.zoos("~nobody-of-that-name/") == []


def test_the_shell_gets_them():
    words = {"_METAZOO_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "metazoo score --metanet trees_h"}
    assert "trees_hyper_parameters" in CliRunner().invoke(app, [], env=words, prog_name="metazoo").output


def test_every_metanet_is_listed(monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "metanets")
    assert code == 0
    assert [name for name in METANETS if f" {name} " not in out] == []


def git(*words: str) -> str:
    names = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    return subprocess.run(["git", *names, *words], capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_of_a_submission_is_that_of_the_repository_one_is_in(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    about = ["--code", "https://example.org/code", "--contact", "me", "--citation", "none", "--external-data", "none"]
    words = ["submit", "records", *about, "--to", "to"]
    assert "records: no such file" in run(monkeypatch, capsys, *words)[2]
    Path("mine.py").write_text("1")
    digest, untracked = hashlib.sha256(b"1").hexdigest(), "its mine.py, as scored, is not in commit "
    for path in put(Path("records"), "mine:Mine", code="a").glob("seed-*.json"):
        path.write_text(path.read_text().replace("a" * 64, digest))
    assert "no git repository with a commit; give --commit" in run(monkeypatch, capsys, *words)[2]
    git("init")
    git("commit", "--message", "empty", "--allow-empty")
    assert untracked in run(monkeypatch, capsys, *words)[2]
    git("add", "mine.py")
    git("commit", "--message", "mine")
    assert f"commit {git('rev-parse', 'HEAD')[:8]}" in run(monkeypatch, capsys, *words)[1]
    Path("mine.py").write_text("2")
    assert f"commit {git('rev-parse', 'HEAD')[:8]} does not have; commit them" in run(monkeypatch, capsys, *words)[2]
