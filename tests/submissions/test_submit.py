import dataclasses
import io
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from conftest import ROOT, SMALL, small
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import put

import zoo
from benchmark.cli import main
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.records import records
from benchmark.records.corrections import corrects
from benchmark.records.predictions import COLUMNS
from benchmark.records.records import Stored
from benchmark.scoring.score import score
from benchmark.submissions.check import Checked, check
from benchmark.submissions.cross_checks import FEWEST_SEEDS
from benchmark.submissions.record_checks import examined
from benchmark.submissions.submission import read_submission, submission
from benchmark.submissions.submit import submit
from benchmark.submissions.verification import fresh, read_verification, tier, verifications, verify
from metanets import Training
from zoo.storage import files
from zoo.untrusted.json import strict_json

QUICK = Training(epochs=1, batch=8, learning_rates=(1e-3,))
ABOUT = {
    "code_url": "https://example.org/code",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "contact": "someone@example.org",
    "citation": "@misc{someone2026,\n title={Something}}",
    "external_data": "none",
}
PLAIN = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def scored(standard, tmp_path_factory) -> Path:
    """Records of a metanet and a baseline on one zoo; tests must not change them."""
    out = tmp_path_factory.mktemp("scored")
    score([standard], ["statnn", "mean"], "test_accuracy", out=out, seeds=5, training=QUICK)
    return out


@pytest.fixture
def mine(scored, tmp_path) -> Path:
    """A copy of the metanet's five records, to change."""
    return shutil.copytree(next(scored.glob("*/*/statnn")), tmp_path / "mine")


def rewrite(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def sign(path: Path, data: bytes) -> None:
    """Puts other predictions beside a record, with the hash that makes them its own."""
    path.with_suffix(".parquet").write_bytes(data)
    rewrite(path, predictions={"file": path.with_suffix(".parquet").name, "sha256": files.hash_of(data)})


def parquet(frame: pd.DataFrame) -> bytes:
    """The bytes of a file with NaN as NaN; `DataFrame.to_parquet` would write empty entries."""
    memory = io.BytesIO()
    columns = {name: pyarrow.array(frame[name].to_numpy(), from_pandas=name == "split") for name in frame}
    pyarrow.parquet.write_table(pyarrow.table(columns), memory)
    return memory.getvalue()


def predictions(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path.with_suffix(".parquet"))


def read(path: Path) -> Stored:
    """A record with its predictions, both read."""
    found = records.stored(path)
    assert found.frame is not None
    return found


def given_in(folder: Path, to: Path, *zoos: Path, **fields: object) -> Path:
    (found,) = submit([folder], submission(**ABOUT | fields), to=to, zoo_folders=zoos)
    return found


def test_a_submission_is_copied_whole_checked_and_shown(scored, standard, tmp_path):
    source, to = next(scored.glob("*/*/statnn")), tmp_path / "results"
    folder = given_in(source, to, standard)
    assert folder.relative_to(to) == source.relative_to(scored)
    for path in source.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert read_submission(folder / "submission.json").commit == ABOUT["commit"]
    assert len(list(folder.iterdir())) == 11
    assert check(to, [standard]) == Checked((), 5, 5)
    assert check(to) == Checked((), 5, 0)
    assert leaderboard(to).cells["seeds"].tolist() == [5]


def test_the_folder_that_score_wrote_is_grouped_by_metanet_and_task(standard, tmp_path):
    out, said = tmp_path / "out", list[str]()
    (tmp_path / "mine.py").write_text("from sklearn.dummy import DummyRegressor as Mine\n")
    for target in ("test_accuracy", "test_loss"):
        score([standard], [f"{tmp_path / 'mine.py'}:Mine", "mean"], target, out=out, seeds=5)
    written = submit([out], submission(**ABOUT), to=tmp_path / "results", report=said.append)
    assert sorted(folder.parent.name for folder in written) == ["test_accuracy", "test_loss"]
    assert {folder.name for folder in written} == {"mine.Mine"}
    assert len(said) == 2
    assert all("left aside, the suite has mean" in line for line in said)
    with pytest.raises(ValueError, match="corrects one folder: expected one metanet on one task, found 2"):
        submit([out], submission(**ABOUT, supersedes="mine.Mine"), to=tmp_path / "results")
    next(out.glob("*/test_accuracy/mean")).rename(next(out.glob("*/test_accuracy")) / "ours")  # a name says nothing
    next(out.glob("*/test_loss/mine.Mine")).rename(next(out.glob("*/test_loss")) / "statnn")
    again = submit([out], submission(**ABOUT), to=tmp_path / "renamed")
    assert {folder.relative_to(tmp_path / "renamed") for folder in again} == {
        folder.relative_to(tmp_path / "results") for folder in written
    }
    itself = next(out.glob("*/test_loss/mean"))
    every = [submit([itself, *given], submission(**ABOUT), to=tmp_path / "all") for given in ([out], [out, itself, out])]
    assert [folder.name for folder in every[0]] == ["mean", "mine.Mine", "mine.Mine"]
    assert every[0] == every[1]


def test_a_zoo_is_the_same_wherever_it_was_fetched_from(scored, standard, tmp_path):
    fetched = shutil.copytree(standard, tmp_path / "fetched")
    files.write_json(
        fetched / "source.json", {"source": "hf://datasets/someone/zoos", "revision": "a" * 40, "config": "one"}
    )
    assert zoo.open(fetched).source == f"hf://datasets/someone/zoos@{'a' * 40}/one"
    assert check(scored, [fetched]) == Checked((), 6 + 4, 10)


def test_records_in_git_have_nothing_wrong():
    found = check(ROOT / "data/results")
    assert found.problems == ()
    assert found.records == len(list((ROOT / "data/results").glob("**/seed-*.json")))


def test_all_kinds_of_tasks_agree_with_their_zoos(standard, asymmetric, tmp_path):
    both, kinds = [standard, asymmetric], {"seeds": 1, "out": tmp_path, "training": QUICK}
    score(both, ["mean"], "test_loss", transfer=True, **kinds)
    score(both, ["mean"], "test_accuracy", shift="learning_rate", **kinds)
    score(both, ["mean"], "learning_rate", train_nets=[8, 16], **kinds)
    assert check(tmp_path, both) == Checked((), 4 + 2 + 4, 10)
    assert check(tmp_path, [standard]).labelled == 1 + 1 + 2


def test_a_baseline_may_have_fewer_seeds_but_no_other_may_call_itself_one(scored, mine, tmp_path):
    baseline = next(scored.glob("*/*/mean"))
    submit([baseline / "seed-0.json"], submission(**ABOUT), to=tmp_path / "results")
    for path in mine.glob("*.json"):
        rewrite(path, metanet={**json.loads(path.read_text())["metanet"], "baseline": True})
    with pytest.raises(ValueError, match="statnn is not among the suite's baselines"):
        given_in(mine, tmp_path / "results")


def test_a_correction_lies_beside_what_it_supersedes_which_no_longer_counts(scored, mine, standard, tmp_path):
    to = tmp_path / "results"
    first = given_in(next(scored.glob("*/*/statnn")), to)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    for path in mine.glob("*.json"):
        rewrite(path, command="the right one")
    with pytest.raises(FileExistsError, match="--supersedes"):
        given_in(mine, to)
    second = given_in(mine, to, supersedes="statnn")
    assert second == first.with_name("statnn.2")
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before
    (result,) = leaderboard(to).results
    assert [record.command for record in result.records] == ["the right one"] * 5
    for name, found in (("statnn", "superseded already"), ("mean", "no records of statnn"), ("statnn.7", "no records of")):
        with pytest.raises(ValueError, match=found):
            given_in(mine, to, supersedes=name)
    assert given_in(mine, to, supersedes="statnn.2") == first.with_name("statnn.3")
    assert check(to, [standard]) == Checked((), 15, 15)
    rewrite(first.with_name("statnn.3") / "submission.json", supersedes="statnn")
    assert any("statnn.2 and statnn.3 both count" in line for line in check(to).problems)


@pytest.mark.parametrize("crash_at", [1, 4, 11])
@pytest.mark.parametrize("supersedes", [None, "statnn"])
def test_a_copy_that_was_stopped_goes_on_and_half_a_correction_does_not_count(
    scored, mine, tmp_path, monkeypatch, crash_at, supersedes
):
    to, publish, calls = tmp_path / "results", files.publish, []
    if supersedes:
        given_in(next(scored.glob("*/*/statnn")), to)
        for path in mine.glob("*.json"):
            rewrite(path, command="the right one")

    def crashing(path, data, *, below):
        calls.append(path)
        if len(calls) == crash_at:
            raise KeyboardInterrupt
        return publish(path, data, below=below)

    about = {"supersedes": supersedes, "submitted": "2026-11-21"}
    monkeypatch.setattr("zoo.storage.files.publish", crashing)
    with pytest.raises(KeyboardInterrupt):
        given_in(mine, to, **about)
    monkeypatch.undo()
    assert not (calls[0].parent / "submission.json").exists()
    if supersedes:
        assert {path.parent.name for path in records.paths(to)} == {"statnn"}
        assert crash_at == 1 or any("does not count" in line for line in check(to).problems)
    assert given_in(mine, to, **about) == calls[0].parent
    assert check(to).problems == ()
    assert {path.parent for path in records.paths(to)} == {calls[0].parent}


def test_records_that_score_has_put_there_stay_and_get_their_submission(scored, tmp_path):
    to = shutil.copytree(scored, tmp_path / "results")
    folder = next(to.glob("*/*/statnn"))
    assert given_in(folder, to) == folder
    assert check(to).problems == ()


def spoil_json(mine: Path) -> None:
    (mine / "seed-1.json").write_text('{"schema": ')


def spoil_schema(mine: Path) -> None:
    rewrite(mine / "seed-1.json", schema="metazoo-record-9")


def spoil_twice(mine: Path) -> None:
    text = (mine / "seed-1.json").read_text()
    (mine / "seed-1.json").write_text(text.replace('"seed": 1,', '"seed": 0, "seed": 1,'))


def spoil_nan(mine: Path) -> None:
    text = (mine / "seed-1.json").read_text()
    (mine / "seed-1.json").write_text(text.replace('"seconds": ', '"seconds": NaN, "old": '))


def spoil_infinity(mine: Path) -> None:
    rewrite(mine / "seed-1.json", chosen={"rate": 0})
    text = (mine / "seed-1.json").read_text()
    (mine / "seed-1.json").write_text(text.replace('"rate": 0', '"rate": 1e999'))


def spoil_depth(mine: Path) -> None:
    (mine / "seed-1.json").write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")


def spoil_some_depth(mine: Path) -> None:
    rewrite(mine / "seed-1.json", environment={"a": json.loads("[" * 500 + "]" * 500)})


def spoil_digits(mine: Path) -> None:
    text = (mine / "seed-1.json").read_text()
    (mine / "seed-1.json").write_text(text.replace('"seed": 1,', f'"seed": {"1" * 5000},'))


def spoil_encoding(mine: Path) -> None:
    (mine / "seed-1.json").write_bytes(b"\xff{}")


def spoil_surrogate(mine: Path) -> None:
    rewrite(mine / "seed-1.json", command="\ud800")


def spoil_size(mine: Path) -> None:
    os.truncate(mine / "seed-1.json", 100 * 10**6)


def spoil_predictions_size(mine: Path) -> None:
    os.truncate(mine / "seed-1.parquet", 10**12)


def spoil_link(mine: Path) -> None:
    (mine / "seed-1.json").rename(mine / "other")
    (mine / "seed-1.json").symlink_to(mine / "other")


def spoil_predictions_link(mine: Path) -> None:
    (mine / "seed-1.parquet").unlink()
    (mine / "seed-1.parquet").symlink_to("/etc/hostname")


def spoil_pipe(mine: Path) -> None:
    (mine / "seed-1.parquet").unlink()
    os.mkfifo(mine / "seed-1.parquet")


def spoil_absent(mine: Path) -> None:
    (mine / "seed-1.parquet").unlink()


def spoil_hash(mine: Path) -> None:
    value = json.loads((mine / "seed-1.json").read_text())
    rewrite(mine / "seed-1.json", predictions={**value["predictions"], "sha256": "0" * 64})


def spoil_file_name(mine: Path) -> None:
    value = json.loads((mine / "seed-1.json").read_text())
    rewrite(mine / "seed-1.json", predictions={**value["predictions"], "file": "../seed-1.parquet"})


def spoil_names(mine: Path, **fields: str) -> None:
    for path in mine.glob("*.json"):
        value = json.loads(path.read_text())
        rewrite(path, task={**value["task"], **{k: v for k, v in fields.items() if k != "name"}})
        if "name" in fields:
            rewrite(path, metanet={**value["metanet"], "name": fields["name"]})


def spoil_metanet(mine: Path) -> None:
    spoil_names(mine, name="../../../../evil")


def spoil_number(mine: Path) -> None:
    spoil_names(mine, name="statnn.2")


def spoil_target(mine: Path) -> None:
    spoil_names(mine, target="/evil")


def spoil_shift(mine: Path) -> None:
    spoil_names(mine, shift="..\\evil")


def spoil_zoo(mine: Path) -> None:
    for path in mine.glob("*.json"):
        value = json.loads(path.read_text())
        other = {**value["task"]["zoo"], "manifest_sha256": "a" * 64}
        rewrite(path, task={**value["task"], "zoo": other, "test_zoo": other})


def spoil_family(mine: Path) -> None:
    for path in mine.glob("*.json"):
        value = json.loads(path.read_text())
        rewrite(path, task={**value["task"], "zoo": {**value["task"]["zoo"], "family": "other"}})


def spoil_inputs(mine: Path) -> None:
    spoil_names(mine, shift="label_smoothing")


def spoil_score(mine: Path) -> None:
    value = json.loads((mine / "seed-1.json").read_text())
    rewrite(mine / "seed-1.json", test={**value["test"], "r2": value["test"]["r2"] + 1e-5})


def spoil_metrics(mine: Path) -> None:
    value = json.loads((mine / "seed-1.json").read_text())
    del value["validation"]["tau"]
    rewrite(mine / "seed-1.json", validation=value["validation"])


def spoil_constant(mine: Path) -> None:
    rewrite(mine / "seed-1.json", constant_prediction=True)


def spoil_seeds(mine: Path) -> None:
    (mine / "seed-1.json").unlink()


def spoil_same_seed(mine: Path) -> None:
    rewrite(mine / "seed-1.json", seed=0)


def spoil_version(mine: Path) -> None:
    rewrite(mine / "seed-1.json", metanet={**json.loads((mine / "seed-1.json").read_text())["metanet"], "version": 77})


def spoil_frame(mine: Path, change) -> None:
    sign(mine / "seed-1.json", parquet(change(predictions(mine / "seed-1.json"))))


def spoil_duplicate(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(index=[*frame["index"][:-1], frame["index"].iloc[-2]]))


def spoil_missing(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.iloc[:-1])


def spoil_stranger(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(index=[*frame["index"][:-1], 63_000]))


def spoil_split(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(split="train"))


def spoil_label(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(target=[*frame["target"][:-1], 0.123]))


def spoil_prediction(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(prediction=[*frame["prediction"][:-1], np.nan]))


def spoil_empty_prediction(mine: Path) -> None:
    frame, memory = predictions(mine / "seed-1.json"), io.BytesIO()
    frame.assign(prediction=[*frame["prediction"][:-1], np.nan]).to_parquet(memory, index=False)
    sign(mine / "seed-1.json", memory.getvalue())


def spoil_infinite_prediction(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(prediction=[*frame["prediction"][:-1], -np.inf]))


def spoil_enormous_prediction(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(prediction=1e308 * frame["prediction"]))


def spoil_column(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(more=1))


def spoil_order(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame[sorted(COLUMNS)])


def spoil_dtype(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.astype({"prediction": "float32"}))


def spoil_index(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.astype({"index": "float64"}))


def spoil_null(mine: Path) -> None:
    spoil_frame(mine, lambda frame: frame.assign(split=[*frame["split"][:-1], None]))


def spoil_rows(mine: Path) -> None:
    """Ten million rows in a few kilobytes."""
    rows = 10**7
    kinds = {"index": pyarrow.int64(), "split": pyarrow.string(), "target": pyarrow.float64()}
    table = pyarrow.table({name: pyarrow.nulls(rows, kind) for name, kind in kinds.items()})
    memory = io.BytesIO()
    table = table.append_column("prediction", pyarrow.nulls(rows, pyarrow.float64()))
    pyarrow.parquet.write_table(table, memory, row_group_size=rows)
    sign(mine / "seed-1.json", memory.getvalue())


def spoil_long_split(mine: Path, **options: object) -> None:
    """A name of two megabytes for every net, in a file of some kilobytes whose columns take two when unpacked."""
    frame, memory = predictions(mine / "seed-1.json"), io.BytesIO()
    table = pyarrow.Table.from_pandas(frame.assign(split="x" * 2_000_000), preserve_index=False)
    pyarrow.parquet.write_table(table, memory, compression="zstd", **options or {"dictionary_pagesize_limit": 2**30})
    assert len(memory.getvalue()) < 20_000
    sign(mine / "seed-1.json", memory.getvalue())


def spoil_shared_beginnings(mine: Path) -> None:
    """The same, each name kept as what it has in common with the one before."""
    spoil_long_split(mine, use_dictionary=False, column_encoding={"split": "DELTA_BYTE_ARRAY"})


def varint(number: int, size: int = 0) -> bytes:
    """A number as Thrift has it in Parquet's description of a file, with so many bytes."""
    digits = [number >> shift & 127 for shift in range(0, max(7 * size, number.bit_length()), 7)]
    return bytes([*(digit | 128 for digit in digits[:-1]), digits[-1]])


def spoil_row_count(mine: Path) -> None:
    """A million rows in a file whose first lines speak of as many as there are nets."""
    nets, rows, memory = len(predictions(mine / "seed-1.json")), 10**6, io.BytesIO()
    kinds = {
        "index": pyarrow.int64(),
        "split": pyarrow.string(),
        "target": pyarrow.float64(),
        "prediction": pyarrow.float64(),
    }
    table = pyarrow.table({name: pyarrow.nulls(rows, kind) for name, kind in kinds.items()})
    pyarrow.parquet.write_table(table, memory, row_group_size=rows)
    data, told = memory.getvalue(), varint(2 * rows)
    place = data.index(told, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    data = data[:place] + varint(2 * nets, len(told)) + data[place + len(told) :]
    assert pyarrow.parquet.read_metadata(io.BytesIO(data)).num_rows == nets
    sign(mine / "seed-1.json", data)


def spoil_pandas_note(mine: Path) -> None:
    """A note that makes pandas take a column away."""
    table = pyarrow.parquet.read_table(mine / "seed-1.parquet")
    note = json.loads(table.schema.metadata[b"pandas"])
    memory = io.BytesIO()
    told = table.replace_schema_metadata({"pandas": json.dumps({**note, "index_columns": ["prediction"]})})
    pyarrow.parquet.write_table(told, memory)
    sign(mine / "seed-1.json", memory.getvalue())


def spoil_bad_note(mine: Path) -> None:
    table = pyarrow.parquet.read_table(mine / "seed-1.parquet").replace_schema_metadata({"pandas": '{"columns": 3}'})
    memory = io.BytesIO()
    pyarrow.parquet.write_table(table, memory)
    sign(mine / "seed-1.json", memory.getvalue())


def spoil_cut(mine: Path) -> None:
    sign(mine / "seed-1.json", (mine / "seed-1.parquet").read_bytes()[:-100])


BAD = [
    (spoil_json, "seed-1.json is damaged: not JSON"),
    (spoil_schema, "seed-1.json: record schema 'metazoo-record-9'"),
    (spoil_twice, "'seed' stands twice"),
    (spoil_nan, "NaN is no finite number"),
    (spoil_infinity, "1e999 is no finite number"),
    (spoil_depth, "seed-1.json is damaged: .*too deeply"),
    (spoil_some_depth, "seed-1.json: nested more than 32 deep"),
    (spoil_digits, "a whole number of 5000 digits"),
    (spoil_encoding, "seed-1.json: is no UTF-8 text"),
    (spoil_surrogate, "seed-1.json does not fit its schema: invalid json"),
    (spoil_size, "seed-1.json has 100,000,000 bytes; such a file has 1,000,000 at most"),
    (spoil_predictions_size, "seed-1.parquet has 1,000,000,000,000 bytes"),
    (spoil_link, "links are not followed"),
    (spoil_predictions_link, "links are not followed"),
    (spoil_pipe, "seed-1.parquet is no plain file"),
    (spoil_absent, "seed-1.parquet: No such file"),
    (spoil_hash, "is not the file that seed-1.json was written with"),
    (spoil_file_name, "predictions.file: string should match"),
    (spoil_metanet, "metanet's name '../../../../evil' cannot be a folder's"),
    (spoil_number, "metanet's name 'statnn.2' cannot be"),
    (spoil_target, "task's name '/evil' cannot be"),
    (spoil_shift, "task's name .* cannot be"),
    (spoil_zoo, "not among those given by --zoo"),
    (spoil_family, r"one zoo by its hash, but .* \(other\) and"),
    (spoil_inputs, "no such task|nets of the task without a prediction"),
    (spoil_score, "test r2 is said to be .*, but the predictions give"),
    (spoil_metrics, "validation scores .*, expected"),
    (spoil_constant, "constant_prediction is said to be True"),
    (spoil_seeds, rf"4 seed\(s\), a submission has {FEWEST_SEEDS} or more"),
    (spoil_same_seed, r"seeds \[0, 0, 2, 3, 4\], expected each once"),
    (spoil_version, "not of the same task, metanet and version"),
    (spoil_duplicate, r"1 net\(s\) are predicted twice"),
    (spoil_missing, "rows, expected one for each of"),
    (spoil_stranger, r"not of the task: 1 \(63000\)"),
    (spoil_split, r"predictions of the splits \['train'\]"),
    (spoil_label, "is not what the zoo has"),
    (spoil_prediction, r"1 prediction\(s\) are not finite"),
    (spoil_empty_prediction, "empty entries, as pandas writes NaN, in prediction"),
    (spoil_infinite_prediction, r"1 prediction\(s\) are not finite"),
    (spoil_enormous_prediction, "but the predictions give -inf"),
    (spoil_column, "columns .*'more'"),
    (spoil_order, "columns .*expected"),
    (spoil_dtype, "columns .*'float'"),
    (spoil_index, "columns .*expected"),
    (spoil_null, "empty entries"),
    (spoil_rows, "10,000,000 rows, expected"),
    (spoil_long_split, "a split's name of 2,000,000 bytes"),
    (spoil_shared_beginnings, "no file of predictions"),
    (spoil_row_count, "rows in all, but 1,000,000 in its parts"),
    (spoil_pandas_note, "its note for pandas"),
    (spoil_bad_note, "no file of predictions"),
    (spoil_cut, "seed-1.parquet: no file of predictions"),
]


@pytest.mark.parametrize(("spoil", "found"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_bad_records_are_refused_with_their_reason_and_nothing_is_copied(mine, standard, tmp_path, spoil, found):
    spoil(mine)
    with pytest.raises(ValueError, match=found):
        given_in(mine, tmp_path / "results", standard)
    assert not (tmp_path / "results").exists()


def test_all_problems_of_all_records_are_listed(mine, tmp_path):
    spoil_json(mine)
    value = json.loads((mine / "seed-3.json").read_text())
    rewrite(mine / "seed-3.json", test={**value["test"], "tau": -0.7, "mae": 0.0})
    with pytest.raises(ValueError, match=r"4 problem\(s\)") as error:
        given_in(mine, tmp_path / "results")
    for found in ("seed-1.json", "test tau", "test mae", "4 seed"):
        assert found in str(error.value)


def test_a_check_finds_in_a_folder_what_a_submission_is_refused_for(scored, standard, tmp_path):
    to = shutil.copytree(scored, tmp_path / "results")
    home = next(to.glob("*/*/statnn"))
    spoil_label(home)
    assert any("is not that of" in line for line in check(to).problems)
    assert any("is not what the zoo has" in line for line in check(to, [standard]).problems)
    spoil_json(home)
    (home / "seed-0.parquet").rename(home / "seed-9.parquet")
    (home / "linked.json").symlink_to("/etc/hostname")
    shutil.move(home / "seed-2.json", home.with_name("mean") / "seed-22.json")
    lines = "\n".join(check(to).problems)
    for found in (
        "not JSON",
        "seed-9.parquet belongs to no record",
        "linked.json is a link",
        "seed-22.json",
        "seed-0.parquet",
    ):
        assert found in lines
    with pytest.raises(FileNotFoundError, match="metazoo score"):
        check(tmp_path / "nowhere")


def test_records_that_were_tested_on_other_nets_do_not_mix(scored, mine, tmp_path):
    spoil_stranger(mine)
    found = predictions(mine / "seed-1.json")
    test, value = found[found["split"] == "test"], json.loads((mine / "seed-1.json").read_text())
    assert 63_000 in set(test["index"])
    assert value["task"]["nets"]["test"] == len(test)
    with pytest.raises(ValueError, match="its nets, or their test_accuracy, are not those of"):
        given_in(mine, tmp_path / "results")
    to = shutil.copytree(scored, tmp_path / "other")
    spoil_stranger(next(to.glob("*/*/statnn")))
    assert sum("its nets" in line for line in check(to).problems) == 1


def test_records_at_another_place_than_their_own_are_found(scored, tmp_path):
    to = shutil.copytree(scored, tmp_path / "results")
    home = next(to.glob("*/*/statnn"))
    home.rename(home.with_name("other"))
    assert sum("statnn" in line and "expected it in" in line for line in check(to).problems) == 5


def test_a_submission_in_place_of_another_metanets_is_found(scored, tmp_path):
    to = shutil.copytree(scored, tmp_path / "results")
    folder = given_in(next(to.glob("*/*/statnn")), to)
    rewrite(folder / "submission.json", supersedes="mean")
    assert any("supersedes mean" in line for line in check(to).problems)
    assert {path.parent.name for path in records.paths(to)} == {"mean", "statnn"}
    rewrite(folder / "submission.json", supersedes="statnn")
    assert {path.parent.name for path in records.paths(to)} == {"mean", "statnn"}
    rewrite(folder / "submission.json", supersedes="../../mean")
    assert any("submission.json does not fit" in line for line in check(to).problems)
    assert {path.parent.name for path in records.paths(to)} == {"mean", "statnn"}


@pytest.mark.parametrize(
    ("folder", "name", "can"),
    [
        ("statnn.2", "statnn", True),
        ("statnn.10", "statnn.9", True),
        ("statnn.2", "statnn.2", False),
        ("statnn.2", "statnn.3", False),
        ("statnn.2", "statnn.1", False),
        ("statnn.2", "mean", False),
        ("statnn", "statnn", False),
        ("statnn", "statnn.2", False),
        ("statnn.2", "../statnn", False),
        ("mine.Linear.2", "mine.Linear", True),
        ("mine.Linear", "mine", False),
        ("statnn.2", "statnn." + "9" * 200, False),
    ],
)
def test_only_an_earlier_folder_of_the_same_metanet_can_be_corrected(folder, name, can):
    assert corrects(Path("results") / folder, name) == can


def test_a_link_in_the_way_is_not_written_through(mine, scored, tmp_path):
    to, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    given_in(next(scored.glob("*/*/statnn")), to).with_name("statnn.2").symlink_to(elsewhere)
    elsewhere.mkdir()
    with pytest.raises(ValueError, match=r"statnn\.2 is a link"):
        given_in(mine, to, supersedes="statnn")
    assert list(elsewhere.iterdir()) == []
    to = tmp_path / "others"
    home = to / next(scored.glob("*/*/statnn")).relative_to(scored)
    home.parent.parent.mkdir(parents=True)
    home.parent.symlink_to(tmp_path)
    with pytest.raises(ValueError, match="is a link"):
        given_in(mine, to)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_folder_of_a_leaderboard_that_is_a_link_is_written_deleted_or_read_through(mine, scored, tmp_path, depth):
    """`to`/ZOO, `to`/ZOO/TARGET and `to`/ZOO/TARGET/METANET, each a link to a folder that holds what a stopped copy left."""
    to, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    home = next(scored.glob("*/*/statnn")).relative_to(scored)
    link = to / Path(*home.parts[:depth])
    inside = elsewhere / Path(*home.parts[depth:])
    inside.mkdir(parents=True)
    (inside / ".seed-0.json.0123456789ab.tmp").write_text("keep me")
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(ValueError, match=f"{link.name} is a link"):
        given_in(mine, to)
    assert {path.name: path.read_text() for path in elsewhere.rglob("*") if path.is_file()} == {
        ".seed-0.json.0123456789ab.tmp": "keep me"
    }


def test_a_link_that_is_laid_after_the_look_is_not_written_or_deleted_through(mine, scored, tmp_path, monkeypatch):
    to, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    home = to / next(scored.glob("*/*/statnn")).relative_to(scored)
    elsewhere.mkdir()
    (elsewhere / ".seed-0.json.0123456789ab.tmp").write_text("keep me")

    def laid(*arguments: object) -> Path:
        home.parent.mkdir(parents=True)
        home.symlink_to(elsewhere)
        return home

    monkeypatch.setattr("benchmark.submissions.submit._destination", laid)
    with pytest.raises(FileExistsError, match="is a link"):
        given_in(mine, to)
    assert [path.read_text() for path in elsewhere.iterdir()] == ["keep me"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code_url", "javascript:alert(1)"),
        ("code_url", "https://user:secret@example.org"),
        ("code_url", 'https://example.org/"onclick'),
        ("contact", ""),
        ("contact", "a\x1b[31m"),
        ("citation", "x" * 5001),
        ("external_data", 1),
        ("tier", "verified"),
        ("supersedes", "../statnn"),
        ("submitted", "2026-02-30"),
        ("schema", "metazoo-submission-2"),
        ("extra", 1),
    ],
)
def test_submissions_of_another_form_are_refused(field, value):
    with pytest.raises(ValueError, match=rf"submission.json does not fit its schema: {field}"):
        submission(**ABOUT | {field: value})


def test_a_commit_is_a_whole_hash(tmp_path):
    with pytest.raises(ValueError, match="commit: found 'main', expected 40 hexadecimal digits"):
        submission(**ABOUT | {"commit": "main"})
    path = tmp_path / "submission.json"
    files.write_json(path, dataclasses.asdict(submission(**ABOUT)) | {"commit": "main"})
    with pytest.raises(ValueError, match=r"submission\.json does not fit its schema: commit"):
        read_submission(path)


def test_a_tier_is_given_by_a_verification_of_these_very_records(scored, tmp_path):
    to = shutil.copytree(scored, tmp_path / "results")
    folder = given_in(next(to.glob("*/*/statnn")), to)

    def reached() -> str:
        return tier([one for one in records.load(to) if one.path.parent == folder], verifications(to)[0], to)

    assert reached() == "self-reported"
    path = verify(folder, to, tier="verified", by="a maintainer")
    assert reached() == "verified"
    assert check(to).problems == ()
    rewrite(folder / "seed-0.json", seconds=0.5)
    with pytest.raises(ValueError, match=r"seed-0.json differ\(s\) from what was verified"):
        reached()
    assert any("verify anew" in line for line in check(to).problems)
    rewrite(path, tier="self-reported")
    assert any("does not fit its schema: tier" in line for line in check(to).problems)


def test_a_verification_that_arrives_with_records_gives_no_tier_and_is_named(scored, mine, tmp_path):
    to = shutil.copytree(scored, tmp_path / "results")
    path = verify(next(to.glob("*/*/statnn")), to, tier="reproduced", by="nobody")
    forged = path.read_bytes()
    path.unlink()
    (mine / "verification.json").write_bytes(forged)
    folder = given_in(mine, to)
    assert not (folder / "verification.json").exists()
    (folder / "verification.json").write_bytes(forged)  # a folder laid by hand
    assert tier(records.load(folder), verifications(to)[0], to) == "self-reported"
    assert any("gives them no tier" in line for line in check(to).problems)


def refusal(reader, path: Path) -> str | None:
    """What a reader refuses a file with; None where it does not. Other exceptions come through."""
    try:
        reader(path)
    except ValueError as error:
        return str(error)
    return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@given(data=st.data())
@PLAIN
def test_a_record_with_anything_changed_is_read_or_refused_by_name(scored, tmp_path_factory, data):
    source = next(scored.glob("*/*/statnn/seed-0.json"))
    folder = shutil.copytree(source.parent, tmp_path_factory.mktemp("changed") / "it")
    value = json.loads(source.read_text())
    at = value
    while True:
        key = data.draw(st.sampled_from(sorted(at)), label="key")
        if not isinstance(at[key], dict) or not at[key] or data.draw(st.booleans(), label="here"):
            break
        at = at[key]
    change = data.draw(st.sampled_from(["drop", "replace", "add"]), label="change")
    if change == "drop":
        del at[key]
    else:
        at[key if change == "replace" else data.draw(st.text())] = data.draw(JSON, label="value")
    path = folder / "seed-0.json"
    path.write_text(json.dumps(value))
    for one in (read, records.read):
        assert refusal(one, path) is None or "seed-0" in str(refusal(one, path))
    home = shutil.copytree(folder, folder.parent / "results" / Path(*source.parts[-4:-1]))
    assert all(line.isprintable() for line in check(home.parents[2]).problems)


@given(noise=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
@PLAIN
def test_any_bytes_as_json_are_refused_by_name(scored, tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "seed-0.json"
    path.write_bytes(noise)
    for one in (read, read_submission, read_verification):
        with pytest.raises(ValueError, match=r"seed-0\.json"):
            one(path)
    found = refusal(lambda path: strict_json(path, noise), path)
    assert found is None or "seed-0.json" in found


@given(data=st.data())
@PLAIN
def test_any_bytes_as_predictions_are_refused_by_name_or_are_the_same(scored, tmp_path_factory, data):
    source = next(scored.glob("*/*/statnn"))
    path = tmp_path_factory.mktemp("noise") / "seed-0.json"
    whole = (source / "seed-0.parquet").read_bytes()
    if data.draw(st.booleans(), label="all"):
        noise = data.draw(st.binary(max_size=300))
    else:
        start = data.draw(st.integers(0, len(whole) - 1))
        noise = whole[:start] + data.draw(st.binary(min_size=1, max_size=8)) + whole[start + 1 :]
    path.write_bytes((source / "seed-0.json").read_bytes())
    sign(path, noise)
    found = refusal(read, path)
    assert found is None or "seed-0.parquet" in found
    assert found or len(read(path).frame) == len(predictions(source / "seed-0.json"))


def test_a_fresh_zoo_has_a_seed_of_its_own_and_no_zoo_is_taken_for_fresh(tmp_path):
    spec = small(nets=2)
    seeds = [fresh(spec, tmp_path / name) for name in ("one", "other")]
    assert len({spec.seed, *seeds}) == 3
    assert [zoo.open(tmp_path / name).spec.seed for name in ("one", "other")] == seeds
    with pytest.raises(FileExistsError, match="is not fresh"):
        fresh(spec, tmp_path / "one")


def test_the_commands_say_what_they_did(scored, standard, mine, tmp_path, monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["metazoo", *map(str, arguments)])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as stop:
            sys.exit(main.main())
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out + err

    to = tmp_path / "results"
    options = [
        item
        for name in ("commit", "contact", "citation", "external_data")
        for item in (f"--{name.replace('_', '-')}", ABOUT[name])
    ]
    command = ["submit", mine, "--to", to, "--code", ABOUT["code_url"], *options]
    code, text = run("submit", tmp_path / "nowhere", *command[2:])
    assert (code, "nowhere: no such file or folder" in text) == (1, True)
    code, text = run(*command, "--commit", "abc")
    assert (code, "commit: found 'abc', expected 40 hexadecimal digits" in text) == (1, True)
    code, text = run(*command, "--zoo", standard)
    assert (code, "11 files, labels checked" in text) == (0, True)
    code, text = run("check", to, "--zoo", standard)
    assert (code, text.strip()) == (0, "5 records, the labels of 5 checked; 0 problem(s)")
    spoil_score(next(to.glob("*/*/statnn")))
    code, text = run("check", to)
    assert (code, "test r2 is said to be" in text) == (1, True)
    spoil_json(mine)
    code, text = run(*command)
    assert (code, "refused, 2 problem(s)" in text) == (1, True)
    sets = [item for name, value in SMALL.items() for item in ("--set", f"{name}={json.dumps(value)}")]
    code, text = run("fresh", "digits-resnet8-standard", "--out", tmp_path / "zoo", *sets, "--nets", 2, "--workers", 1)
    assert (code, f"from seed {zoo.open(tmp_path / 'zoo').spec.seed}" in text.replace("\n", "")) == (0, True)


def test_a_found_record_is_what_the_leaderboard_reads(scored):
    path = next(scored.glob("*/*/statnn/seed-0.json"))
    found = read(path)
    assert found.record == records.read(path)
    assert found.frame.equals(records.read_predictions(path, found.record))
    assert dataclasses.asdict(found.record) == json.loads(found.data)


def test_records_that_can_be_read_are_examined_and_those_that_cannot_are_named(mine):
    spoil_cut(mine)
    found, problems = examined(sorted(mine.glob("seed-*.json")), {})
    assert [one.path.name for one in found] == ["seed-0.json", "seed-2.json", "seed-3.json", "seed-4.json"]
    assert all(one.frame.equals(predictions(one.path)) for one in found)
    assert ["seed-1.parquet" in line for line in problems] == [True]


def test_seeds_of_a_submission_are_the_first_ones_and_not_chosen(tmp_path):
    put(tmp_path / "mine", "mine.Mine", code="a", seeds=(0, 1, 2, 3, 7))
    with pytest.raises(ValueError, match=r"seeds \[0, 1, 2, 3, 7\], a submission has 0, 1, 2 and so on"):
        submit([tmp_path / "mine"], submission(**ABOUT), to=tmp_path / "board")
