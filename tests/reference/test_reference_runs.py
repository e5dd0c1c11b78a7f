"""A reference is built, stopped, built on, scored, and says at every moment how far it is."""

import json
import shutil
from dataclasses import replace

import pytest
from small_reference import NETS, entry, reference, task, written
from verbs import run

import zoo
from benchmark.records import records
from benchmark.reference.build import build
from benchmark.reference.elsewhere import left_out
from benchmark.reference.reference import read
from benchmark.reference.score import score
from benchmark.reference.status import connected, status
from metanets import METANETS
from zoo.dataset import derived
from zoo.jobs import plan
from zoo.landscape.connect import connect, keep
from zoo.landscape.material import images_of

PAIRS = {"pairs": NETS, "points": 3, "images": 20}
ZOOS = [
    entry("standard", connect=PAIRS),
    entry("fixed", spec="digits-resnet8-w_asymmetric"),
    entry("wider", set={"net.width": 0.25}),
    entry("opened-last", role="final", seed=2),
]
TASKS = [
    task("in-zoo", "in zoo", "standard", "fixed", seeds=2),
    task("transfer", "transfer", "standard", "fixed", transfer=True, inputs="all"),
    task("width", "width", "standard", "wider", transfer=True),
    task("few-nets", "few nets", "standard", train_nets=[8, 12]),
    task("pairs", "pairs", "standard", pairs=NETS, target="log_barrier_mid"),
    task("last", "in zoo", "opened-last"),
]
NAMES = ["mean", "ridge"]  # ridge reads a vector, and so nets of one width alone

OWN = """
class Mine:
    reads = "statistics"
    def fit(self, x, y):
        if len(y) == 8:
            raise FileNotFoundError(2, "few")
        return self
    def predict(self, x):
        return x[:, 0]
"""

SIZED = """
import torch
class Sized(torch.nn.Module):
    def __init__(self, layout):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(sum(entry.size for entry in layout)))
    def forward(self, vector):
        return vector @ self.weight
"""


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return written(tmp_path_factory.mktemp("reference") / "small.toml", reference(ZOOS, TASKS))


@pytest.fixture(scope="module")
def built(file, tmp_path_factory):
    """The zoos, all of them; tests must not change them."""
    folder = tmp_path_factory.mktemp("reference") / "zoos"
    with pytest.MonkeyPatch.context() as patch:  # in this process: one of its own takes seconds to start
        patch.setattr("zoo.jobs.build.run", lambda place, **options: zoo.work(place))
        assert {one.state for one in build(read(file), "tiny", folder, final=True)} == {"whole"}
    return folder


@pytest.fixture(scope="module")
def scored(file, built, tmp_path_factory):
    """Records of NAMES, and what was said of them."""
    out, said = tmp_path_factory.mktemp("reference") / "results", list[str]()
    score(read(file), "tiny", built, NAMES, out=out, report=said.append)
    return out, said


@pytest.mark.usefixtures("processes")
def test_a_build_that_was_stopped_says_how_far_it_is_and_goes_on(file, tmp_path, monkeypatch, built):
    monkeypatch.setattr(plan, "NETS_A_UNIT", 4)

    def stop(name, progress):
        if progress.done:
            raise StoppedError

    with pytest.raises(StoppedError):
        build(read(file), "tiny", tmp_path / "zoos", only=["standard"], progress=stop)
    (one, *others) = status(read(file), "tiny", tmp_path / "zoos").zoos
    assert one.state == "partly built"
    assert 0 < one.nets < NETS
    assert one.nets % 4 == 0
    assert f"({one.nets} of {NETS} nets)" in one.line()
    assert [other.state for other in others] == ["missing", "missing"]
    with pytest.raises(FileNotFoundError, match=rf"standard is partly built \({one.nets} of {NETS} nets\).*reference build"):
        score(read(file), "tiny", tmp_path / "zoos", ["mean"], out=tmp_path / "out", only=["few-nets"])
    assert [made.state for made in build(read(file), "tiny", tmp_path / "zoos", only=["standard"])] == ["whole"]
    found, whole = zoo.open(tmp_path / "zoos/standard"), zoo.open(built / "standard")
    assert found.nets("test").weights.equal(whole.nets("test").weights)
    assert set(found.derived) == {"connect"}


def test_whole_zoos_are_kept_and_those_of_another_spec_refused(file, built, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.is_file()}
    build(read(file), "tiny", built, final=True, progress=lambda name, progress: pytest.fail(name))
    assert before == {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.is_file()}
    other = read(written(tmp_path / "other.toml", reference([entry("standard", seed=7)], [])))
    with pytest.raises(FileExistsError, match=r"standard \(seed\)"):
        build(other, "tiny", built)
    (one,) = status(other, "tiny", built).zoos
    assert (one.state, one.note) == ("of another spec", "seed")
    fewer = read(written(tmp_path / "fewer.toml", reference([entry("standard", nets=24)], [])))
    assert status(fewer, "tiny", built).zoos[0].note == f"{NETS} nets there, 24 expected"


def test_a_link_in_the_folder_is_not_followed(file, built, tmp_path):
    (tmp_path / "zoos").mkdir()
    (tmp_path / "zoos/standard").symlink_to(built / "standard")
    (one, *_) = build(read(file), "tiny", tmp_path / "zoos", only=["standard"])
    assert (one.state, one.note) == ("damaged", "a link, which is not followed; put the zoo itself there")
    assert status(read(file), "tiny", tmp_path / "zoos").zoos[0] == one


def test_a_damaged_zoo_is_said_and_ends_nothing_else(file, built, tmp_path, monkeypatch, capsys):
    for name in ("standard", "wider"):
        shutil.copytree(built / name, tmp_path / name)
    shard = next((tmp_path / "standard/data").glob("*.h5"))
    shard.write_bytes(shard.read_bytes()[:-1])
    found = {one.entry.name: one for one in status(read(file), "tiny", tmp_path).zoos}
    assert {name: one.state for name, one in found.items()} == {"standard": "damaged", "wider": "whole", "fixed": "missing"}
    assert shard.name in found["standard"].note
    before = shard.read_bytes()
    words = ("tiny", f"--folder={tmp_path}", f"--reference={file}", "--only=standard", "--only=wider")
    code, out, err = run(monkeypatch, capsys, "reference", "build", *words)
    assert (code, shard.read_bytes() == before) == (1, True)
    assert "wider: whole" in out
    assert "1 not whole" in err
    assert "damaged" in err


def test_a_build_that_fails_is_named_and_the_others_go_on(file, tmp_path, monkeypatch, capsys):
    def work(folder, **options):
        if folder.name == "standard":
            raise RuntimeError("3 workers were killed\n  one after the other")
        zoo.work(folder)

    monkeypatch.setattr("zoo.jobs.build.run", work)
    words = ("tiny", f"--folder={tmp_path}", f"--reference={file}", "--only=standard", "--only=wider", "--workers=1")
    code, out, err = run(monkeypatch, capsys, "reference", "build", *words)
    failed = f"partly built (0 of {NETS} nets): its build failed: 3 workers were killed one after the other"
    assert code == 1
    assert f"standard: {failed}\n" in out
    assert "wider: whole" in out
    assert f"{tmp_path / 'standard'}: {failed}\n" in err


def test_a_record_that_cannot_be_read_is_named_and_ends_nothing_else(file, built, scored, tmp_path, monkeypatch, capsys):
    out = shutil.copytree(scored[0], tmp_path / "results")
    bad = next(out.glob("standard-*/test_accuracy/mean/seed-0.json"))
    bad.write_text("{")
    found = status(read(file), "tiny", built, results=out)
    assert {one.task.name: one.lacking for one in found.tasks if one.lacking} == {
        "in-zoo": {"mean": 3},
        "width": {"mean": 3},
    }
    (line,) = found.left_out
    assert line.startswith(f"{bad} ")
    shutil.rmtree(next(out.glob("fixed-*/test_accuracy/ridge")))
    words = ("tiny", f"--folder={built}", f"--reference={file}")
    code, said, err = run(monkeypatch, capsys, "reference", "status", *words, f"--results={out}", "--json")
    assert (code, json.loads(said)["left_out"]) == (1, [line])
    assert f"left out: {line}\n" in err
    more = ("--metanet=mean", "--metanet=ridge", "--only=in-zoo", f"--out={out}", "--workers=1")
    code, said, err = run(monkeypatch, capsys, "reference", "score", *words, *more)
    assert (code, f"in-zoo: {line}\n" in err) == (1, True)
    assert len([*out.glob("fixed-*/test_accuracy/ridge/*.json")]) == 2
    assert bad.read_text() == "{"


def test_pairs_of_other_nets_are_not_those_of_the_reference(file, built, tmp_path):
    shutil.copytree(built / "standard", tmp_path / "standard")
    reference_file, made = read(file), zoo.open(tmp_path / "standard")
    (asked,) = (one for one in reference_file.of_size("tiny", final=False) if one.name == "standard")
    median = float(made.columns["test_accuracy"].median())
    for settings in (replace(asked.connect.settings(), least=median), replace(asked.connect.settings(), seed=5)):
        others = connect(made, images_of(made), pairs=asked.connect.pairs, remove=("none",), settings=settings)
        keep(made, others, settings, "metazoo connect")
        assert not connected(zoo.open(tmp_path / "standard"), asked)
    (one, *_) = status(reference_file, "tiny", tmp_path).zoos
    assert (one.state, one.note) == ("partly built", "its pairs are not connected")
    assert build(reference_file, "tiny", tmp_path, only=["standard"])[0].state == "whole"


@pytest.mark.parametrize("change", [{"analysis": "lines-1"}, {"other": "0" * 64}, {"lacking": "log_barrier_mid"}])
def test_pairs_of_another_analysis_zoo_or_without_a_number_are_not_connected(file, built, tmp_path, change):
    folder = shutil.copytree(built / "standard", tmp_path / "standard")
    (asked,) = (one for one in read(file).of_size("tiny", final=False) if one.name == "standard")
    there, lacking = zoo.open(folder).derived["connect"], [change.pop("lacking")] if "lacking" in change else []
    told = {name: getattr(there.note, name) for name in ("analysis", "command", "settings")}
    meanings = {name: text for name, text in there.note.meanings.items() if name not in lacking}
    derived.write(folder, "connect", there.frame.drop(columns=lacking), **{**told, "meanings": meanings, **change})
    assert not connected(zoo.open(folder), asked)


def test_only_tasks_on_pairs_wait_for_pairs_and_their_records_are_of_the_very_file(file, built, scored, tmp_path):
    folder = shutil.copytree(built, tmp_path / "zoos")
    made = zoo.open(folder / "standard")
    note = made.derived["connect"].note
    frame = made.derived["connect"].frame.assign(log_barrier_mid=lambda frame: frame["log_barrier_mid"] + 1)
    told = {"analysis": note.analysis, "command": note.command, "settings": note.settings, "meanings": note.meanings}
    derived.write(made.folder, "connect", frame, **told)
    lacking = {one.task.name: one.lacking for one in status(read(file), "tiny", folder, results=scored[0]).tasks}
    assert lacking.pop("pairs") == dict.fromkeys(NAMES, 0)
    assert not any(lacking.values())
    shutil.rmtree(folder / "standard/derived")
    assert {one.task.name for one in status(read(file), "tiny", folder, results=scored[0]).tasks if one.lacking} == {"pairs"}


def test_bytes_are_compared_with_the_frozen_ones_and_others_are_no_error(built, tmp_path):
    digest = zoo.open(built / "wider").manifest_sha256
    for frozen, told in ((digest, "as frozen"), ("0" * 64, "other bytes")):
        own = entry("wider", set={"net.width": 0.25}, manifest_sha256=frozen)
        chosen = read(written(tmp_path / "frozen.toml", reference([own], [task("in-zoo", "in zoo", "wider")])))
        said = list[str]()
        assert [one.bytes for one in build(chosen, "tiny", built, report=said.append)] == [told]
        assert said == [f"wider: whole, {told}"]
        assert score(chosen, "tiny", built, ["mean"], out=tmp_path / "out")


def test_pairs_that_are_gone_are_connected_again(file, built, tmp_path):
    shutil.copytree(built / "standard", tmp_path / "standard")
    shutil.rmtree(tmp_path / "standard/derived")
    (one, *_) = status(read(file), "tiny", tmp_path).zoos
    assert (one.state, one.note) == ("partly built", "its pairs are not connected")
    assert build(read(file), "tiny", tmp_path, only=["standard"])[0].state == "whole"


def test_every_task_is_scored_and_what_cannot_do_one_is_left_out_by_name(file, built, scored):
    out, said = scored
    found = status(read(file), "tiny", built, results=out)
    assert not found.missing
    done = {one.task.name: one for one in found.tasks}
    assert {name: one.records for name, one in done.items()} == {
        **{"in-zoo": 4, "transfer": 4, "width": 4, "few-nets": 2, "pairs": 1},
    }
    assert done.pop("width").unable.keys() == {"ridge"}
    assert all(one.whole == NAMES for one in done.values())
    assert any(line.startswith("width: ridge is left out: fitted on standard, tested on wider: ") for line in said)
    assert "not opened without --final: last" in said
    assert len(records.load(out)) == 2 * (4 + 4 + 2 + 1) + 3  # and of width what is new, of mean alone


def test_records_that_are_there_are_kept_and_those_that_lack_are_made(file, built, scored, tmp_path):
    out = shutil.copytree(scored[0], tmp_path / "results")
    gone = next(out.glob("standard-*/test_accuracy/ridge/seed-1.json"))
    gone.unlink()
    found = {one.task.name: one for one in status(read(file), "tiny", built, results=out).tasks}
    assert found["in-zoo"].lacking == {"ridge": 3}
    assert found["in-zoo"].whole == ["mean"]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    assert gone in score(read(file), "tiny", built, NAMES, out=out, only=["in-zoo"])
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not status(read(file), "tiny", built, results=out).missing


def test_the_records_are_those_of_score(file, built, scored):
    (path,) = scored[0].glob("standard-*/test_accuracy,nets=12/ridge/seed-0.json")
    record = records.read(path)
    assert (record.task.nets["train"], record.task.zoo.name) == (12, "standard")
    assert record.enforced is not None


def test_final_zoos_are_opened_only_where_that_is_said(file, built, tmp_path):
    for one, name in ((build, "opened-last"), (score, "last")):
        options = {"metanets": ["mean"], "out": tmp_path / "out"} if one is score else {}
        with pytest.raises(ValueError, match=f"{name}: .*final table only; say --final"):
            one(read(file), "tiny", built, only=[name], **options)
    assert not (tmp_path / "out").exists()
    assert score(read(file), "tiny", built, ["mean"], out=tmp_path / "out", only=["last"], final=True)
    assert "opened-last" not in [one.entry.name for one in status(read(file), "tiny", built).zoos]
    assert "opened-last" in [one.entry.name for one in status(read(file), "tiny", built, final=True).zoos]


def test_every_metanet_that_reads_both_widths_is_told_from_those_that_do_not(file, built):
    (width,) = (one for one in read(file).tasks if one.track == "width")
    names = ["mlp", "ridge", "statnn", "scale_gmn", "mean", "trees_distance", "mine.py:Own"]
    found = left_out(width, [built / name for name in width.zoos], names)
    assert found.keys() == {"mlp", "ridge", "trees_distance"}
    assert found["trees_distance"] == "it reads pairs of nets"


def test_a_mistake_in_an_own_metanet_ends_no_other_task(file, built, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    name, said = f"{tmp_path / 'own.py'}:Mine", list[str]()
    with pytest.raises(ValueError, match=r"1 metanet\(s\) failed on a task:\s+few-nets: .*few"):
        score(read(file), "tiny", built, [name], out=tmp_path / "out", only=["few-nets", "in-zoo"], report=said.append)
    assert len([*(tmp_path / "out").glob("*/test_accuracy/own.Mine/seed-*.json")]) == 4


def test_an_own_metanet_is_left_out_where_it_reads_no_pairs_or_no_other_width(file, built, tmp_path):
    (tmp_path / "own.py").write_text(SIZED)
    name, said = f"{tmp_path / 'own.py'}:Sized", list[str]()
    only = ["pairs", "width", "few-nets"]
    paths = score(read(file), "tiny", built, [name], out=tmp_path / "out", only=only, report=said.append)
    assert {records.read(path).task.name() for path in paths} == {"test_accuracy,nets=8", "test_accuracy,nets=12"}
    (pairs,) = (line for line in said if line.startswith(f"pairs: {name} is left out: "))
    assert "asks for the layout" in pairs
    (width,) = (line for line in said if line.startswith(f"width: {name} is left out: "))
    assert "cannot read these nets: RuntimeError" in width


def test_a_record_of_another_version_ends_nothing_else(file, built, tmp_path, monkeypatch):
    score(read(file), "tiny", built, ["mean"], out=tmp_path / "out", only=["in-zoo"])
    monkeypatch.setitem(METANETS, "mean", replace(METANETS["mean"], version=9))
    with pytest.raises(ValueError, match=r"1 metanet\(s\) failed on a task:\s+in-zoo: 2 of 2 jobs failed:\s+.*mean"):
        score(read(file), "tiny", built, ["mean", "ridge"], out=tmp_path / "out", only=["in-zoo"])
    assert [*(tmp_path / "out").glob("*/test_accuracy/ridge/seed-0.json")]


def test_unknown_names_are_refused_before_anything_is_done(file, built, tmp_path):
    with pytest.raises(ValueError, match="unknown size 'tny'; did you mean tiny"):
        build(read(file), "tny", tmp_path / "zoos")
    with pytest.raises(ValueError, match="unknown zoo of tiny 'standrad'; did you mean standard"):
        build(read(file), "tiny", tmp_path / "zoos", only=["standrad"])
    with pytest.raises(ValueError, match="unknown task of tiny 'inzoo'; did you mean in-zoo"):
        score(read(file), "tiny", built, ["mean"], out=tmp_path / "out", only=["inzoo"])
    with pytest.raises(ValueError, match="unknown metanet 'maen'; did you mean mean"):
        score(read(file), "tiny", built, ["maen"], out=tmp_path / "out")
    assert not [*tmp_path.iterdir()]


def test_images_are_asked_for_where_a_zoo_needs_them_and_nowhere_else(file, tmp_path):
    needs = entry("cifar", spec="cifar10-16px-resnet8-standard", images="cifar10", set={"images.train": 256})
    both = read(written(tmp_path / "both.toml", reference([entry("standard"), needs], [])))
    with pytest.raises(FileNotFoundError, match=r"cifar: no images of cifar10; .*without: --only standard"):
        build(both, "tiny", tmp_path / "zoos")
    with pytest.raises(FileNotFoundError, match="no such folder of images"):
        build(both, "tiny", tmp_path / "zoos", images_folder=tmp_path / "none")
    with pytest.raises(ValueError, match="leave --images away"):
        build(read(file), "tiny", tmp_path / "zoos", images_folder=tmp_path)
    assert not (tmp_path / "zoos").exists()


def test_the_verbs_print_what_is_there_and_end_with_1_where_something_lacks(file, built, tmp_path, monkeypatch, capsys):
    given = (f"--folder={built}", f"--reference={file}")
    code, out, err = run(monkeypatch, capsys, "reference", "status", "tiny", *given)
    assert (code, err) == (0, "")
    assert "not frozen" in out
    code, out, err = run(monkeypatch, capsys, "reference", "status", "tiny", *given, f"--results={tmp_path / 'none'}")
    assert code == 1
    assert "no record of a task of reference-small tiny" in err
    score_few = (
        "reference",
        "score",
        "tiny",
        *given,
        f"--out={tmp_path / 'out'}",
        "--metanet=mean",
        "--only=few-nets",
        "--workers=1",
    )
    code, out, err = run(monkeypatch, capsys, *score_few)
    assert (code, "2 records under" in out) == (0, True), err
    code, out, err = run(
        monkeypatch, capsys, "reference", "status", "tiny", *given, f"--results={tmp_path / 'out'}", "--json"
    )
    found = json.loads(out)
    assert code == 1
    assert found["missing"] == ["in-zoo", "transfer", "width", "pairs"]
    assert {one["task"]: one["lacking"] for one in found["tasks"]}["in-zoo"] == {"mean": 0}
    code, out, err = run(monkeypatch, capsys, "reference", "build", "tiny", *given, "--workers=1")
    assert (code, "3 zoos under" in out) == (0, True), err
