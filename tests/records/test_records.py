import dataclasses
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from made_records import BASELINE

import zoo
from benchmark.analyses import certificates
from benchmark.leaderboard.compare import compare
from benchmark.leaderboard.hub_results import emit
from benchmark.leaderboard.leaderboard import from_records, leaderboard
from benchmark.leaderboard.tables import markdown_of
from benchmark.records import records, version_2
from benchmark.records.load_results import load_results
from benchmark.records.predictions import COLUMNS
from benchmark.records.records import Code, Software, Stored
from benchmark.scoring.job import Job, run
from benchmark.scoring.score import score
from benchmark.scoring.task import reference
from benchmark.site.writing import write
from benchmark.submissions.check import Checked, check
from metanets import Training
from zoo.untrusted.json import read_json
from zoo.untrusted.schema import validated

OLD = Path(__file__).parent / "fixtures/version-2"  # records of four fits, and a symmetry report, as version 2 wrote them
ZOO = ROOT / "tests/dataset/fixtures/standard"  # the zoo that they are of
HOME = "digits-resnet8-standard-9ebe7de6"
MANIFEST = "9ebe7de605e092766e87eb5fa6446b2cbfbc719d8340e2febe2bfd3165a50b54"  # its hash
PATH = OLD / HOME / "test_accuracy/statnn/seed-0.json"


@pytest.fixture
def old(tmp_path) -> Path:
    """A copy of the records of version 2, to change."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def in_version_3(value: dict) -> dict:
    """A record of version 2 in the words of version 3, worked out here again."""
    metanet = {**value["metanet"], "baseline": value["metanet"]["floor"], "reads": None, "code": None}
    del metanet["floor"]
    task = {**value["task"], "derived": None, "pairs": None, "facts": None}
    for name in ("zoo", "test_zoo"):
        task[name] = {"source": None, **task[name]}
    training, augment = value["tuned"]["training"], []
    if training is not None:
        training = dict(training)
        augment = ["permutation"] * training.pop("permute", False)
    later = {"enforced": None, "cost": None, "metazoo": None, "augment": augment}
    tuned = {**value["tuned"], "training": training} if "training" in value["tuned"] else value["tuned"]
    return {**value, "schema": "metazoo-record-3", "task": task, "metanet": metanet, "tuned": tuned, **later}


@pytest.mark.parametrize("folder", [OLD], ids=["fixtures"])
def test_every_record_of_version_2_is_read_whole_in_the_words_of_version_3(folder):
    found = records.load(folder)
    assert {one.path for one in found} == set(folder.glob("**/seed-*.json"))
    for one in found:
        value = json.loads(one.path.read_text())
        assert value["schema"] == version_2.SCHEMA
        assert dataclasses.asdict(one.record) == in_version_3(value)
        assert one.frame.equals(pd.read_parquet(one.path.with_suffix(".parquet")))
        assert list(one.frame) == list(COLUMNS)


def test_records_of_version_2_are_checked_and_compared_like_others():
    assert check(OLD, [ZOO]) == Checked((), 4, 4)
    cells = leaderboard(OLD).cells.set_index("metanet")
    assert cells["baseline"].to_dict() == {"statnn": False, "mean": True, BASELINE: True}
    assert load_results(OLD).set_index("metanet")["baseline"].to_dict() == {"statnn": False, "mean": True, BASELINE: True}
    assert {one.record.metanet.name: one.record.augment for one in records.load(OLD)} == {
        "statnn": ["permutation"],
        "mean": [],
        BASELINE: [],
    }
    (report,) = (certificates.read(path, below=OLD) for path in OLD.glob("*/symmetry-*.json"))
    assert [row.metanet for row in report.rows] == ["mean", "statnn"]


def test_records_of_both_versions_stand_on_one_board_and_a_new_one_is_of_version_3(old):
    before = leaderboard(old).cells
    for one in records.load(old):
        if one.record.seed == 0:
            records.write(one.path, one.record, one.predictions)
    assert {json.loads(path.read_text())["schema"] for path in old.glob("**/seed-0.json")} == {"metazoo-record-3"}
    assert json.loads(next(old.glob("**/seed-1.json")).read_text())["schema"] == "metazoo-record-2"
    pd.testing.assert_frame_equal(leaderboard(old).cells, before)


def test_scoring_goes_on_from_records_of_version_2_unless_they_were_augmented(old):
    training = Training(epochs=2, batch=8, learning_rates=(1e-3, 1e-2), augment=("permutation",))
    job = Job(ZOO, (ZOO,), "statnn", "test_accuracy", range(2), training, old)
    before = {path: path.read_bytes() for path in old.rglob("*.json")}
    assert len(run(job)) == 2
    assert {path: path.read_bytes() for path in old.rglob("*.json")} == before
    with pytest.raises(FileExistsError, match=r"augmented by \['permutation'\]; now asked for .*, \[\]"):
        run(dataclasses.replace(job, training=dataclasses.replace(training, augment=())))


def test_a_record_says_by_what_it_was_augmented(old, tmp_path):
    plain = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    zoo = Path(shutil.copytree(ZOO, tmp_path / "zoo"))
    for permute in (False, True):
        training = dataclasses.replace(plain, augment=("permutation",) * permute)
        for name in ("statnn", "mean"):
            job = Job(zoo, (zoo,), name, "test_accuracy", range(1), training, tmp_path / f"{permute}")
            (path,) = run(job)
            value = json.loads(path.read_text())
            assert value["augment"] == ["permutation"] * (permute and name == "statnn")
            assert "permute" not in (value["tuned"]["training"] or {})


def test_what_score_writes_are_records_and_predictions_and_nothing_else(tmp_path):
    paths = score([ZOO], ["mean", "trees_hyper_parameters"], "test_accuracy", out=tmp_path, seeds=2)
    assert {path.relative_to(tmp_path).parts[:2] for path in paths} == {(HOME, "test_accuracy")}
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        *paths,
        *(path.with_suffix(".parquet") for path in paths),
    }
    assert {(path.parent.name, path.name) for path in paths} == {
        (name, f"seed-{seed}.json") for name in ("mean", "trees_hyper_parameters") for seed in (0, 1)
    }


FULL = {  # of every field that version 3 adds
    "metanet": {"reads": "tensors", "code": {"file": "mine.py", "sha256": "a" * 64}},
    "task": {"derived": {"barrier_mid": "b" * 64}, "pairs": 900, "facts": {"test_images": 697, "varied": []}},
    "": {
        "augment": ["permutation", "scale"],
        "enforced": True,
        "cost": {"parameters": 10, "multiply-adds": 2.5e6, "ms per net": 0.25},
        "metazoo": {"version": "1.0.0", "commit": "c" * 40},
    },
}


def changed(path: Path, part: str, name: str, value: object) -> bytes:
    """The bytes of a record of version 3 with a field changed."""
    record = dataclasses.asdict(records.read(path))
    (record[part] if part else record)[name] = value
    return json.dumps(record).encode()


def test_all_fields_of_version_3_are_written_and_read_back(old):
    one = records.stored(next(old.glob("**/statnn/seed-0.json")))
    value = dataclasses.asdict(one.record)
    for part, fields in FULL.items():
        (value[part] if part else value).update(fields)
    record = records.parse(one.path, json.dumps(value).encode())
    records.write(one.path, record, one.predictions)
    assert records.read(one.path) == record
    assert json.loads(one.path.read_text()) == value
    assert record.metanet.code == Code("mine.py", "a" * 64)
    assert record.metazoo == Software("1.0.0", "c" * 40)
    assert record.task.name() == "test_accuracy,pairs=900"


BAD = [
    ("", "date", "2026-02-30"),
    ("", "date", "2026-1-1"),
    ("", "seconds", -0.1),
    ("", "seconds", "1"),
    ("", "augment", "permutation"),
    ("", "augment", [""]),
    ("", "augment", None),
    ("", "enforced", "yes"),
    ("", "enforced", 1),
    ("", "cost", {"ms per net": -1}),
    ("", "cost", {"ms per net": None}),
    ("", "cost", [1]),
    ("", "metazoo", "1.0.0"),
    ("", "metazoo", {"version": "1.0.0"}),
    ("", "metazoo", {"version": "1.0.0", "commit": "main"}),
    ("", "derived", {}),
    ("metanet", "baseline", 0),
    ("metanet", "floor", True),
    ("metanet", "reads", ""),
    ("metanet", "code", {"file": "mine.py", "sha256": "a"}),
    ("metanet", "code", {"file": "mine.py", "sha256": "a" * 64, "more": 1}),
    ("task", "derived", {"barrier": "x"}),
    ("task", "pairs", -1),
    ("task", "pairs", True),
    ("task", "inputs", "tensors"),
]


@pytest.mark.parametrize(("part", "name", "value"), BAD)
def test_fields_that_are_none_are_refused_by_name(part, name, value):
    with pytest.raises(ValueError, match=rf"seed-0\.json does not fit its schema: .*{name}"):
        records.parse(PATH, changed(PATH, part, name, value))


def test_several_fields_at_fault_are_named_together_and_deep_nesting_too():
    value = json.loads(PATH.read_bytes()) | {"seed": -1, "more": 1}
    with pytest.raises(ValueError, match=r"does not fit its schema: .*; seed: .*; more: "):
        validated(PATH, records.TypeAdapter(records.Record).validate_json, value)
    for _ in range(100_000):
        value = {"a": value}
    with pytest.raises(ValueError, match="is damaged: nested too deeply"):
        validated(PATH, lambda text: text, value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**30])
def test_numbers_beyond_all_bounds_are_refused(value):
    with pytest.raises(ValueError, match=r"seed-0\.json is damaged"):
        records.parse(PATH, changed(PATH, "", "cost", {"ms per net": value}))


@pytest.mark.parametrize(("part", "name"), [(part, name) for part, names in version_2.LATER.items() for name in names])
def test_a_record_of_version_2_cannot_say_what_came_later(part, name):
    value = json.loads(PATH.read_text())
    (value[part] if part else value)[name] = None
    with pytest.raises(ValueError, match=rf"{name}: unexpected in metazoo-record-2"):
        records.parse(PATH, json.dumps(value).encode())


def test_every_field_that_version_3_added_is_refused_in_version_2():
    """LATER is whole: the fields of a record of version 3 that a file of version 2 does not have, in every part."""
    new, value = dataclasses.asdict(records.read(PATH)), json.loads(PATH.read_text())
    parts = {"": (new, value), **{part: (new[part], value[part]) for part in ("task", "metanet")}}
    assert {part: set(a) - set(b) for part, (a, b) in parts.items()} == {p: set(n) for p, n in version_2.LATER.items()}


@pytest.mark.parametrize("schema", ["metazoo-record-1", "metazoo-record-4", None, 3])
def test_a_schema_that_nobody_knows_is_refused_with_those_that_are(schema):
    data = json.dumps({**json.loads(PATH.read_text()), "schema": schema}).encode()
    with pytest.raises(ValueError, match=r"this release reads 'metazoo-record-2' and 'metazoo-record-3'"):
        records.parse(PATH, data)


OPENED: list[str] | None = None


def notice(event: str, arguments: tuple) -> None:
    if OPENED is not None and event == "open" and isinstance(arguments[0], str | bytes | Path):
        OPENED.append(Path(str(arguments[0])).name)


sys.addaudithook(notice)


@pytest.mark.parametrize(
    "use",
    [
        leaderboard,
        load_results,
        check,
        lambda folder: write(folder, folder.parent / "site", zoo_folders=[ZOO]),
        lambda folder: emit(folder, folder.parent / "emitted"),
        lambda folder: compare("statnn", "mean", folder),
        lambda folder: markdown_of(folder, {MANIFEST}),
    ],
    ids=["leaderboard", "load_results", "check", "page", "emit", "compare", "card"],
)
def test_each_file_is_opened_once(old, monkeypatch, use):
    for number, path in enumerate(sorted(old.glob("**/seed-*.json")), start=10):  # names that differ
        one, to = records.stored(path), path.with_name(f"seed-{number}.json")
        reference, data = records.predictions_file(to, one.frame)
        records.write(to, dataclasses.replace(one.record, seed=number, predictions=reference), data)
        path.unlink()
        path.with_suffix(".parquet").unlink()
    names = {path.name for path in old.glob("**/seed-*")}
    assert len(names) == 8
    opened: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "OPENED", opened)
    use(old)
    monkeypatch.undo()
    counts = Counter(name for name in opened if name.startswith("seed-"))
    assert set(counts.values()) == {1}
    assert {name for name in names if name.endswith(".json")} <= counts.keys() <= names


def test_results_are_those_of_the_records_loaded():
    found = records.load(OLD)
    assert all(isinstance(one, Stored) for one in found)
    pd.testing.assert_frame_equal(from_records(found).cells, leaderboard(OLD).cells)


def test_the_first_bad_file_is_named(old):
    path = sorted(old.glob("**/seed-*.json"))[1]
    path.with_suffix(".parquet").write_bytes(b"other")
    (line,) = leaderboard(old).left_out
    assert f"{path.with_suffix('.parquet')} is not the file that {path.name}" in line
    path.write_text("{")
    with pytest.raises(ValueError, match=f"{path} is damaged"):
        records.load(old)


def test_nothing_is_read_through_a_link_in_a_results_folder(old, tmp_path):
    elsewhere = (old / HOME).rename(tmp_path / "elsewhere")
    (old / HOME).symlink_to(elsewhere)
    with pytest.raises(FileNotFoundError, match="no records there"):
        records.load(old)
    path = old / HOME / "test_accuracy/statnn/seed-0.json"
    with pytest.raises(ValueError, match=r"links are not followed|is a link"):
        records.stored(path, below=old)
    with pytest.raises(ValueError, match=r"links are not followed|is a link"):
        certificates.read(old / HOME / "symmetry-test_accuracy.json", below=old)
    assert read_json(elsewhere / "symmetry-test_accuracy.json")["schema"] == "metazoo-symmetry-1"


def test_predictions_behind_a_link_that_is_laid_meanwhile_are_not_read(old, tmp_path):
    one = records.stored(old / HOME / "test_accuracy/statnn/seed-0.json", below=old)
    (old / HOME).rename(tmp_path / "elsewhere")
    (old / HOME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"links are not followed|is a link"):
        one.frame  # noqa: B018


def test_nothing_is_written_through_a_link_in_a_results_folder(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / HOME).symlink_to(elsewhere)
    job = Job(ZOO, (ZOO,), "mean", "test_accuracy", range(1), Training(), out)
    with pytest.raises(FileExistsError, match=f"{HOME} is a link"):
        run(job)
    row = certificates.Certificate(metanet="mean", r2=0.0, changes={}, command="metazoo symmetry")
    with pytest.raises(FileExistsError, match=f"{HOME} is a link"):
        certificates.keep(out, reference(zoo.open(ZOO)), "test_accuracy", [row])
    assert list(elsewhere.iterdir()) == []
