import dataclasses
import os
import re
import sys

import pytest
import yaml
from huggingface_hub import DatasetCard, eval_result_entries_to_yaml, parse_eval_result_entries
from made_records import BASELINE
from stores import lay_out

from benchmark.cli import main
from benchmark.leaderboard.hub_results import Published, bibtex, emit, published, record_key, slug, task_id
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.records import records
from benchmark.records.corrections import SUBMISSION
from benchmark.scoring.score import score
from benchmark.submissions.submission import submission
from zoo.hub.release import release
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


@pytest.fixture(scope="module")
def here(standard, asymmetric, tmp_path_factory):
    """The release of both zoos, in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.hub.release.png", lambda figure: b"a picture")
        return lay_out(release([standard, asymmetric], name="Two"), tmp_path_factory.mktemp("release"))


def test_the_hub_reads_back_every_score(results, here, tmp_path):
    paths = emit(results, tmp_path, release=here, repository="me/two", source="https://example.org/board")
    homes = published([records.read(path) for path in records.paths(results)], release=here, repository="me/two")
    about = yaml.safe_load((tmp_path / "datasets/me/two/eval.yaml").read_text())
    for cells in leaderboard(results).boards():
        for _, row in cells.iterrows():
            path = tmp_path / "models" / row["metanet"] / ".eval_results" / "me-two.yaml"
            assert path in paths
            value = yaml.safe_load(path.read_text())
            entries = parse_eval_result_entries(value)
            entry = {e.task_id: e for e in entries}[task_id(homes[row["zoo"]].config, row["task"], "tau")]
            assert entry.value == pytest.approx(row["tau_mean"], abs=1e-6)
            assert entry.dataset_id == "me/two"
            assert entry.source_url == "https://example.org/board"
            assert f"mean of {row['seeds']} seeds" in entry.notes
            assert eval_result_entries_to_yaml(entries) == value
            assert {task["id"] for task in about["tasks"]} >= {e.task_id for e in entries}
    assert len({task["id"] for task in about["tasks"]}) == len(about["tasks"])


def test_what_is_emitted_is_of_the_data_set_that_was_published_in_its_configs_and_splits(results, here, tmp_path):
    emit(results, tmp_path, release=here, repository="me/two")
    card = DatasetCard.load(here / "README.md").data.to_dict()
    splits = {one["config_name"]: {part["split"] for part in one["data_files"]} for one in card["configs"]}
    (path,) = (tmp_path / "datasets").rglob("eval.yaml")
    about = yaml.safe_load(path.read_text())
    assert about.keys() == {"name", "description", "evaluation_framework", "tasks"}
    assert {task["config"] for task in about["tasks"]} == splits.keys()
    for task in about["tasks"]:
        assert task.keys() == {"id", "config", "split"}
        assert task["split"] in splits[task["config"]]
        assert task["id"].startswith(task["config"])


def test_fetched_zoos_are_those_of_the_data_set_that_their_records_name(results):
    (first, *_) = [records.read(path) for path in records.paths(results)]
    zoo = first.task.test_zoo

    def of(source: str) -> dict[str, Published]:
        fetched = dataclasses.replace(first.task, test_zoo=dataclasses.replace(zoo, source=source))
        return published([dataclasses.replace(first, task=fetched)])

    assert of(f"hf://datasets/me/two@{'a' * 40}/resnet8-standard") == {zoo.label(): Published("me/two", "resnet8-standard")}
    for source in ("", f"hf://datasets/me/two@{'a' * 40}", f"hf://datasets/me/two@{'a' * 40}/../x", "s3://me/two/x"):
        assert of(source) == {}


def test_a_zoo_that_was_published_nowhere_is_reported_and_cited_alone(results, standard, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.hub.release.png", lambda figure: b"a picture")
        one = lay_out(release([standard], name="One"), tmp_path / "one")
    said: list[str] = []
    emit(results, tmp_path / "out", release=one, repository="me/one", report=said.append)
    assert len(said) == 1
    assert "w_asymmetric" in said[0]
    tasks = yaml.safe_load((tmp_path / "out/datasets/me/one/eval.yaml").read_text())["tasks"]
    assert {task["config"] for task in tasks} == {"resnet8-standard"}
    assert emit(results, tmp_path / "none", report=said.append) == [tmp_path / "none/citations.bib"]
    assert len(said) == 3


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


def test_names_from_others_are_escaped_and_stay_in_their_place(results, here, tmp_path):
    first = records.paths(results)[0]
    record = records.read(first)
    evil = dataclasses.replace(record, metanet=dataclasses.replace(record.metanet, name=EVIL))
    records.write(tmp_path / "in" / "seed-0.json", evil, first.with_suffix(".parquet").read_bytes())
    paths = emit(tmp_path / "in", tmp_path / "out", release=here, repository="me/two")
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


def test_names_that_would_be_one_file_have_one_each(results, here, tmp_path):
    path = records.paths(results)[0]
    record = records.read(path)
    for number, name in enumerate(("x+A", "x-A")):
        other = dataclasses.replace(record, metanet=dataclasses.replace(record.metanet, name=name))
        records.write(tmp_path / "in" / str(number) / "seed-0.json", other, path.with_suffix(".parquet").read_bytes())
    emit(tmp_path / "in", tmp_path / "out", release=here, repository="me/two")
    assert len(list((tmp_path / "out/models").iterdir())) == 2


@pytest.mark.parametrize(
    ("repository", "said"),
    [("a", "no data set"), ("a/b/c", "no data set"), (None, "give its repository, --repository USER")],
)
def test_a_data_set_that_the_hub_cannot_have_is_refused(results, here, tmp_path, repository, said):
    with pytest.raises(ValueError, match=said):
        emit(results, tmp_path, release=here, repository=repository)
    with pytest.raises(ValueError, match="say where that release lies"):
        emit(results, tmp_path, repository="a/b")


def test_addresses_that_are_none_or_say_two_things_are_refused(results, tmp_path):
    for wrong, said in (
        ({"source": "javascript:alert(1)"}, "address: found 'javascript"),
        ({"release": "hf://datasets/me/one", "repository": "me/two"}, "is me/one on the hub, and not me/two"),
    ):
        with pytest.raises(ValueError, match=said):
            emit(results, tmp_path / "out", **wrong)


def test_the_command_prints_what_it_wrote(results, here, tmp_path, monkeypatch, capsys):
    words = ["emit", results, "--out", tmp_path, "--release", here, "--repository", "me/two"]
    monkeypatch.setattr(sys, "argv", ["metazoo", *map(str, words)])
    with pytest.raises(SystemExit, match="0"):
        main.app()
    printed = capsys.readouterr().out.split()
    assert str(tmp_path / "citations.bib") in printed
    assert sorted(printed) == sorted(str(path) for path in tmp_path.rglob("*") if path.is_file())


def test_nothing_is_written_through_a_linked_folder(results, here, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "models").mkdir(parents=True)
    elsewhere.mkdir()
    (out / "models" / "mean").symlink_to(elsewhere)
    with pytest.raises(FileExistsError, match="mean is a link"):
        emit(results, out, release=here, repository="me/two")
    assert list(elsewhere.iterdir()) == []
