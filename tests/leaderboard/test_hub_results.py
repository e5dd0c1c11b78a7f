import dataclasses
import os
import re
import sys

import pytest
import yaml
from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries

from benchmark.cli import main
from benchmark.leaderboard.hub_results import bibtex, emit, record_key, slug
from benchmark.leaderboard.leaderboard import BASELINE, leaderboard
from benchmark.records import records
from benchmark.records.corrections import SUBMISSION
from benchmark.scoring.score import score
from benchmark.submissions.submission import submission
from zoo.storage import files

EVIL = "pkg.mod:a{b}%\\x \"'#: [1]\n- y: &z é"


@pytest.fixture(scope="module")
def results(standard, asymmetric, tmp_path_factory):
    """Records of two baselines on two zoos, each fitted on both."""
    out = tmp_path_factory.mktemp("results")
    score([standard, asymmetric], ["mean", BASELINE], "test_accuracy", out=out, seeds=2, transfer=True)
    return out


def fields(text: str) -> dict[str, dict[str, str]]:
    """The entries of a BibTeX file: key -> field -> value. Strict: balanced braces, one field a line."""
    entries: dict[str, dict[str, str]] = {}
    for entry in text.strip().split("\n\n"):
        first, *lines, last = entry.splitlines()
        key = re.fullmatch(r"@misc\{([A-Za-z0-9_.-]+),", first)
        assert key, first
        assert last == "}"
        assert key[1] not in entries
        entries[key[1]] = {}
        for line in lines:
            field = re.fullmatch(r"  ([a-z]+) = \{(.*)\},", line)
            assert field, line
            depth = 0
            for symbol in field[2]:
                depth += (symbol == "{") - (symbol == "}")
                assert depth >= 0
            assert depth == 0
            entries[key[1]][field[1]] = field[2]
    return entries


def test_the_hub_reads_back_every_score(results, tmp_path):
    paths = emit(results, tmp_path, namespace="someone", source="https://example.org/board")
    found = {path.relative_to(tmp_path): path for path in paths}
    for cells in leaderboard(results).boards():
        for _, row in cells.iterrows():
            path = tmp_path / "models" / row["metanet"] / ".eval_results" / f"{row['zoo']}.yaml"
            assert path.relative_to(tmp_path) in found
            value = yaml.safe_load(path.read_text())
            entries = parse_eval_result_entries(value)
            at = {entry.task_id: entry for entry in entries}
            entry = at[f"{slug(row['task'])}-tau"]
            assert entry.value == pytest.approx(row["tau_mean"], abs=1e-6)
            assert entry.dataset_id == f"someone/{row['zoo']}"
            assert entry.source_url == "https://example.org/board"
            assert f"mean of {row['seeds']} seeds" in entry.notes
            assert eval_result_entries_to_yaml(entries) == value
            about = yaml.safe_load((tmp_path / "datasets" / row["zoo"] / "eval.yaml").read_text())
            assert about.keys() == {"name", "description", "evaluation_framework", "tasks"}
            assert {task["id"] for task in about["tasks"]} >= at.keys()
            assert all(task.keys() == {"id", "config", "split"} for task in about["tasks"])


def test_everything_has_a_citation(results, tmp_path):
    emit(results, tmp_path)
    found = fields((tmp_path / "citations.bib").read_text())
    every = [records.read(path) for path in records.paths(results)]
    assert found.keys() == {
        "metazoo",
        "lim2024empirical",
        *(f"zoo-{record.task.zoo.label()}" for record in every),
        *map(record_key, every),
    }
    assert all(entry.keys() >= {"title", "year"} for entry in found.values())


def test_names_from_others_are_escaped_and_stay_in_their_place(results, tmp_path):
    first = records.paths(results)[0]
    record = records.read(first)
    evil = dataclasses.replace(record, metanet=dataclasses.replace(record.metanet, name=EVIL))
    records.write(tmp_path / "in" / "seed-0.json", evil, first.with_suffix(".parquet").read_bytes())
    paths = emit(tmp_path / "in", tmp_path / "out")
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in paths)
    (path,) = tmp_path.glob("out/models/*/.eval_results/*.yaml")
    entries = parse_eval_result_entries(yaml.safe_load(path.read_text()))
    assert EVIL in entries[0].notes
    entry = fields((tmp_path / "out/citations.bib").read_text())[record_key(evil)]
    assert "author" not in entry
    assert r"\textbraceleft{}b\textbraceright{}\%\textbackslash{}x" in entry["title"]


def test_a_submissions_own_citation_is_kept(results, tmp_path):
    path = records.paths(results)[0]
    record = records.read(path)
    assert "author" in fields(bibtex({path: record}))[record_key(record)]
    about = submission(
        code_url="https://a.org", commit="0" * 40, contact="us", citation="@article{x, title={T}}", external_data="none"
    )
    files.write_json(tmp_path / SUBMISSION, dataclasses.asdict(about))
    entry = fields(bibtex({tmp_path / path.name: record}))[record_key(record)]
    assert "author" not in entry
    assert "T" in entry["howpublished"]
    os.truncate(tmp_path / SUBMISSION, 10**9)
    with pytest.raises(ValueError, match=r"submission\.json has 1,000,000,000 bytes"):
        bibtex({tmp_path / path.name: record})


@pytest.mark.parametrize("name", ["..", "/", ".", "a/../../b", "é", "\n", "-x", ".hidden"])
def test_a_slug_is_a_plain_file_name(name):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", slug(name))
    assert "/" not in slug(name)


def test_names_that_would_be_one_file_have_one_each(results, tmp_path):
    path = records.paths(results)[0]
    record = records.read(path)
    for number, name in enumerate(("x+A", "x-A")):
        other = dataclasses.replace(record, metanet=dataclasses.replace(record.metanet, name=name))
        records.write(tmp_path / "in" / str(number) / "seed-0.json", other, path.with_suffix(".parquet").read_bytes())
    emit(tmp_path / "in", tmp_path / "out")
    assert len(list((tmp_path / "out/models").iterdir())) == 2


def test_an_owner_that_the_hub_cannot_have_is_refused(results, tmp_path):
    with pytest.raises(ValueError, match="no owner"):
        emit(results, tmp_path, namespace="a/b")


def test_the_command_prints_what_it_wrote(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metazoo", "emit", str(results), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="0"):
        main.app()
    printed = capsys.readouterr().out.split()
    assert str(tmp_path / "citations.bib") in printed
    assert sorted(printed) == sorted(str(path) for path in tmp_path.rglob("*") if path.is_file())


def test_nothing_is_written_through_a_linked_folder(results, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "models").mkdir(parents=True)
    elsewhere.mkdir()
    (out / "models" / "mean").symlink_to(elsewhere)
    with pytest.raises(FileExistsError, match="mean is a link"):
        emit(results, out)
    assert list(elsewhere.iterdir()) == []
