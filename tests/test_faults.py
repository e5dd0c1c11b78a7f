"""Whatever fails or dies in the middle of a write: what has a name is whole, and the same command ends the same."""

import ctypes
import importlib
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

import h5py
import pytest
from conftest import ALL_OF_ZOO, ROOT, small
from faults import CRASHED, Death, content, disk, leftovers

import zoo
from benchmark.cli.main import main
from benchmark.records import records
from benchmark.scoring.feature_cache import features
from benchmark.scoring.task import task_of
from benchmark.site import site, writing
from metanets.table import METANETS
from zoo.dataset.export import export
from zoo.dataset.summary import summary
from zoo.importers.asymmetric_networks.export import export_official
from zoo.jobs import leases, plan
from zoo.jobs.leases import Holder
from zoo.storage.manifest import MANIFEST, check_bytes, read_manifest

EARLIER, SPEC = (small(nets=nets, recipe__epochs=(1, 1)) for nets in (4, 8))
KILLS = 20
CLONE_NEWNS, NO_DISK = 0x20000, 99  # linux/sched.h; an exit code
SITE = {
    "style.css": b"body {}",
    "pictures/a.svg": b"<svg/>",
    "index.html": site.GENERATOR.encode(),
    "zoos/b.html": b"<p>b",
}


def begin(folder: Path) -> None:
    """Writes all that a build writes before workers start: zoo.json, fixed values, plan, images."""
    zoo.build(SPEC, folder / "zoo", workers=0)


def grow(folder: Path) -> None:
    """Writes the shards of units that are trained, the manifest, and tidies."""
    zoo.build(SPEC, folder / "zoo", workers=0)


def commit(folder: Path) -> None:
    """Commits a unit."""
    plan.units(folder / "zoo")[-1].commit(folder / "zoo", b"rows" * 500, {"seconds": 1})


def lease(folder: Path) -> None:
    """Takes a unit that is free and one whose holder died, says that it is alive, and gives both back."""
    leases.release_mine(folder / "zoo")  # those of a test before, in this process
    try:
        for unit in plan.units(folder / "zoo"):
            held = leases.claim(folder / "zoo", unit)
            assert held is not None
            with held.held():
                held.beat()
    finally:
        leases.release_mine(folder / "zoo")


def record(folder: Path) -> None:
    """Writes a record and its predictions."""
    path = next((ROOT / "data" / "results").glob("*/*/statnn/seed-0.json"))
    one = records.read(path)
    data = path.with_name(one.predictions.file).read_bytes()
    records.write(records.path_of(folder / "results", one.task, "statnn", 0), one, data)


@cache
def opened(folder: Path) -> zoo.Zoo:
    """A zoo that nothing changes, opened once."""
    return zoo.open(folder)


def export_one(folder: Path) -> None:
    """Exports a net."""
    export(opened((folder / "zoo").resolve()), 1, folder / "net.safetensors", kind="safetensors")


def export_all(folder: Path) -> None:
    """Exports a zoo over an earlier export, in which there was a net more."""
    export_official(opened((folder / "zoo").resolve()), folder / "official", overwrite=True)


def keep_features(folder: Path) -> None:
    """Computes features, which are kept beside the zoo where that can be."""
    index, found = features(zoo.open(folder / "zoo"), METANETS["statnn"], "train")
    assert len(index) == len(found) > 0
    assert found.isfinite().all()


def new_site(folder: Path) -> None:
    """Writes a site."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.site.site.site", lambda *_: SITE)
        writing.write(folder, folder / "site")


def newer_site(folder: Path) -> None:
    """Replaces a site, in which there was a page more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.site.site.site", lambda *_: SITE)
        writing.write(folder, folder / "site", overwrite=True)


OPERATIONS: dict[str, tuple[str, Callable[[Path], None]]] = {  # what stands there before, what is done
    "begin": ("nothing", begin),
    "commit": ("prepared", commit),
    "lease": ("leased", lease),
    "shards": ("trained", grow),
    "record": ("nothing", record),
    "export": ("beside", export_one),
    "official": ("exported", export_all),
    "features": ("built", keep_features),
    "site": ("nothing", new_site),
    "site again": ("site", newer_site),
}


@pytest.fixture(scope="module", autouse=True)
def images_at_hand() -> Iterator[None]:
    """Digits are read from their file once: a build begins some hundred times here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.tasks.images.load", cache(zoo.tasks.images.load))
        yield


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    """What stands there before: tests work on copies."""
    made = {name: tmp_path_factory.mktemp(name) for name in ("nothing", "prepared", "built")}
    for name, nets_a_unit in (("prepared", 2), ("built", 4)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("zoo.jobs.plan.NETS_A_UNIT", nets_a_unit)
            zoo.build(EARLIER, made[name] / "zoo", workers=0)
    zoo.work(made["built"] / "zoo")
    zoo.build(EARLIER, made["built"] / "zoo", workers=0)
    for name, of in (
        ("leased", "prepared"),
        ("trained", "built"),
        *((n, "nothing") for n in ("beside", "exported", "site")),
    ):
        made[name] = shutil.copytree(made[of], tmp_path_factory.mktemp(name) / "folder")
    for name in ("beside", "exported"):
        (made[name] / "zoo").symlink_to(made["built"] / "zoo")
    zoo.build(SPEC, made["trained"] / "zoo", workers=0)
    zoo.work(made["trained"] / "zoo")
    gone = leases.path_of(made["leased"] / "zoo", plan.units(made["leased"] / "zoo")[1])
    gone.write_text(json.dumps({"holder": vars(Holder.me()) | {"begun": 12.0}, "epochs": 3}))
    export_all(made["exported"])
    (made["exported"] / "official" / "resnet8" / "99.pt").write_bytes(b"of another zoo")
    (made["exported"] / "official" / "resnet8" / "0.pt").write_bytes(b"of another zoo")
    new_site(made["site"])
    (made["site"] / "site" / "zoos" / "gone.html").write_bytes(b"<p>gone")
    (made["site"] / "site" / "style.css").write_bytes(b"old {}")
    return made


@pytest.fixture(scope="module")
def undisturbed(places, tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """What each operation leaves where nothing goes wrong."""
    return {name: content(done(name, places, tmp_path_factory.mktemp("done") / "folder")) for name in OPERATIONS}


def done(name: str, places: dict[str, Path], folder: Path) -> Path:
    before, run = OPERATIONS[name]
    run(copy(places[before], folder))
    return folder


def copy(folder: Path, to: Path) -> Path:
    return shutil.copytree(folder, to, symlinks=True)


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Starts processes in which everything is imported already, without the hazards of forking this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*ALL_OF_ZOO, "sklearn.datasets", "benchmark.scoring.score", "test_faults"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(ROOT)]))  # it knows no other way there
        forkserver.ensure_running()
    return context


def same(found: dict[str, bytes], wanted: dict[str, bytes]) -> bool:
    """Whether files agree; the notes of failed attempts depend on what failed, and are read as JSON elsewhere."""
    return {name: data for name, data in found.items() if ".failed." not in name} == {
        name: data for name, data in wanted.items() if ".failed." not in name
    }


def check_whole(folder: Path, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Whatever has its name has the bytes from before or those from after, and nothing refers to what is not there."""
    for name, data in content(folder).items():
        assert ".failed." in name or data in (before.get(name), after.get(name)), f"{name} is a part of a file"
    for path in folder.rglob("*.lease"):
        assert leases.read(path) is not None
    if (folder / "zoo" / MANIFEST).exists():
        assert list(check_bytes(folder / "zoo")) == []
    elif (folder / "zoo" / "plan.json").exists():
        assert all(
            unit.is_done(folder / "zoo") == unit.receipt(folder / "zoo").exists() for unit in plan.units(folder / "zoo")
        )
    for path in folder.glob("results/**/seed-0.json"):
        records.read_predictions(path, records.read(path))


def state(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """All that a command finds in a folder, less the random part of the names of files written aside."""
    paths = [path for path in folder.rglob("*") if not path.is_symlink()]
    found = [(str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b"") for path in paths]
    return tuple(sorted((re.sub(r"[0-9a-f]{12}\.tmp$", "tmp", name), data) for name, data in found))


def check_rerun(name: str, folder: Path, after: dict[str, bytes], seen: set) -> None:
    """The same command again ends with the bytes of an undisturbed one, or says that they are there.

    What it starts from is the same after many a step, and is tried once: `seen` has what was.
    """
    if (name, before := state(folder)) in seen:
        return
    seen.add((name, before))
    with suppress(FileExistsError):
        OPERATIONS[name][1](folder)
    assert same(content(folder), after)
    assert not list(folder.rglob("*.lease"))
    if name == "shards":
        assert not leftovers(folder)
        assert not list(folder.glob("zoo/units/*.h5"))


@pytest.fixture(scope="module")
def seen() -> set:
    return set()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, "once") for name in OPERATIONS),
        *((name, "from then on") for name in ("commit", "lease", "record", "export", "features", "site")),
    ],
)
def test_whichever_step_fails_there_is_one_clear_error_and_no_part_of_a_file(
    places, undisturbed, tmp_path, seen, name, mode
):
    before, after = content(places[OPERATIONS[name][0]]), undisturbed[name]
    for at in itertools.count(1):
        folder = copy(places[OPERATIONS[name][0]], tmp_path / str(at))
        error = None
        with disk(folder, at, mode=mode) as failing:
            try:
                OPERATIONS[name][1](folder)
            except OSError as raised:
                error = raised
        if not failing.reached:
            break
        check_whole(folder, before, after)
        step, path = failing.steps[at - 1]
        if error is None:  # only what does without: folders that are there already, a heartbeat, features that are not kept
            assert name in ("lease", "features") or same(content(folder), after)
        else:
            assert str(folder) in str(error)
            assert error.errno in (5, 28)
            gives_back = name == "lease" and mode == "from then on"  # which fails too, and is what is said then
            if step in ("open", "write", "flush", "fsync", "replace", "link") and not gives_back:
                assert "cannot write" in str(error)
                assert "bytes needed" in str(error)
        if mode == "once" and name != "lease":  # a heartbeat's are cleared by the build
            assert not leftovers(folder), (step, path)
        check_rerun(name, folder, after, seen)
    assert at > 5
    assert error is None
    assert same(content(folder), after)


@pytest.mark.parametrize("name", ["record", "site"])
def test_at_whichever_step_a_person_interrupts_nothing_is_left_lying_about(places, undisturbed, tmp_path, seen, name):
    for at in itertools.count(1):
        folder = copy(places[OPERATIONS[name][0]], tmp_path / str(at))
        with disk(folder, at, mode="interrupt") as failing, suppress(KeyboardInterrupt):
            OPERATIONS[name][1](folder)
        if not failing.reached:
            break
        check_whole(folder, content(places[OPERATIONS[name][0]]), undisturbed[name])
        assert not leftovers(folder), failing.steps[at - 1]
        check_rerun(name, folder, undisturbed[name], seen)
    assert at > 5


@pytest.mark.parametrize("name", OPERATIONS)
def test_at_whichever_step_the_work_ends_for_good_there_is_no_part_of_a_file(places, undisturbed, tmp_path, seen, name):
    before, after = content(places[OPERATIONS[name][0]]), undisturbed[name]
    for at in itertools.count(1):
        folder = copy(places[OPERATIONS[name][0]], tmp_path / str(at))
        with disk(folder, at, mode="death") as failing, suppress(Death):
            OPERATIONS[name][1](folder)
        if not failing.reached:
            break
        check_whole(folder, before, after)
        check_rerun(name, folder, after, seen)
    assert at > 5
    assert same(content(folder), after)


def die(name: str, folder: Path, at: int) -> None:
    """Does it in this process, which ends at a step, with nothing cleared away."""
    with disk(folder, at, mode="crash"):
        OPERATIONS[name][1](folder)


@pytest.mark.parametrize("name", ["commit", "record"])
def test_so_it_is_where_the_process_dies_in_truth(places, undisturbed, tmp_path, seen, name, server):
    before, after = content(places[OPERATIONS[name][0]]), undisturbed[name]
    for at in itertools.count(1):
        folder = copy(places[OPERATIONS[name][0]], tmp_path / str(at))
        process = server.Process(target=die, args=(name, folder, at))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == CRASHED
        check_whole(folder, before, after)
        check_rerun(name, folder, after, seen)
    assert at > 5
    assert same(content(folder), after)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "lease"])  # losing one costs a unit, not a row
def test_bytes_are_durable_before_their_name_and_the_name_before_the_next_step(places, tmp_path, name):
    with disk(tmp_path / "folder") as noted:
        done(name, places, tmp_path / "folder")
    steps, durable, named = noted.steps, set(), 0
    for number, (step, path) in enumerate(steps):
        if step == "write":
            assert path.name.endswith(".tmp"), f"{path} is written under its own name"
            durable.discard(path)
        if step == "fsync":
            durable.add(path)
        if step in ("replace", "link"):
            assert any(aside.name.startswith(f".{path.name}.") for aside in durable), f"{path} is not durable"
            after = [one for one in steps[number + 1 :] if not (one[0] == "unlink" and one[1].name.endswith(".tmp"))]
            assert after[0] == ("fsync", path.parent)
            named += 1
    assert named > 0


def test_rows_go_when_the_manifest_is_durable_and_a_record_comes_when_its_predictions_are(places, tmp_path):
    with disk(tmp_path / "zoo") as noted:
        done("shards", places, tmp_path / "zoo")
    named = [number for number, (step, path) in enumerate(noted.steps) if step == "replace" and path.name == MANIFEST]
    gone = [number for number, (step, path) in enumerate(noted.steps) if step == "unlink" and path.suffix == ".h5"]
    last = max(number for number, (step, _) in enumerate(noted.steps) if step == "replace")
    assert named == [last]
    assert min(gone) > last + 1  # the folder is made durable in between
    with disk(tmp_path / "record") as noted:
        done("record", places, tmp_path / "record")
    assert [path.suffix for step, path in noted.steps if step == "replace"] == [".parquet", ".json"]


def work_alone(folder: Path) -> None:
    """A `zoo.jobs.build` whose worker is this process too, so that one kill ends all."""
    import torch

    torch.set_num_threads(1)
    importlib.import_module("zoo.jobs.build").run = lambda place, **_: zoo.work(place)
    zoo.build(SPEC, folder / "zoo", workers=1)


def test_a_build_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(places, tmp_path, server):
    build_here(shutil.copytree(places["prepared"], tmp_path / "whole"))
    wanted = shards_of(tmp_path / "whole")
    moments, killed, finished, folder = random.Random(0), 0, 0, tmp_path / "killed"
    while killed < KILLS or finished < 2:
        if not folder.exists():
            shutil.copytree(places["prepared"], folder)
        process = server.Process(target=work_alone, args=(folder,))
        process.start()
        process.join(moments.uniform(0.02, 0.5) if killed < KILLS else None)
        if process.is_alive():
            killed += 1
            process.kill()
            process.join()
            continue
        process.join()
        assert process.exitcode == 0
        assert shards_of(folder) == wanted
        assert not leftovers(folder)
        finished += 1
        shutil.rmtree(folder)
    assert killed == KILLS


def build_here(folder: Path) -> None:
    """A build in this process, from the first file to the last."""
    zoo.build(SPEC, folder / "zoo", workers=0)
    zoo.work(folder / "zoo")
    zoo.build(SPEC, folder / "zoo", workers=0)


def shards_of(folder: Path) -> dict[str, bytes]:
    """What the manifest covers, and the manifest."""
    return {name: (folder / "zoo" / name).read_bytes() for name in [*read_manifest(folder / "zoo"), MANIFEST]}


def merge(folder: Path, barrier, results) -> None:
    """Writes the shards in this process, slowly, so that another one comes in between."""
    quick = zoo.storage.files.write
    zoo.storage.files.write = lambda *given, **below: (time.sleep(0.05), quick(*given, **below))[1]
    barrier.wait()
    try:
        grow(folder)
        results.put("done")
    except Exception as error:  # all are looked at by the test, which must not wait for an answer that never comes
        results.put(f"{type(error).__name__}: {error}")


def test_of_two_merges_at_once_the_second_refuses_or_does_nothing(places, undisturbed, tmp_path, server):
    seen = []
    for attempt in range(4):
        folder = shutil.copytree(places["trained"], tmp_path / str(attempt))
        barrier, results = server.Barrier(2), server.SimpleQueue()
        processes = [server.Process(target=merge, args=(folder, barrier, results)) for _ in range(2)]
        for process in processes:
            process.start()
        said = sorted(results.get() for _ in processes)
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert "done" in said
        assert all(re.match(r"done|BlockingIOError: .*another build is at work", one) for one in said)
        assert same(content(folder), undisturbed["shards"])
        seen += said
    assert seen.count("done") < len(seen), "no two of them ever met"


DIGITS = ["digits-resnet8-standard", "--nets", "64", "--workers", "1"]
DIGITS += [f"--set={value}" for value in ("images.train=256", "images.test=64", "recipe.epochs=[1,1]", "net.width=0.125")]


def limited(limit: int, arguments: list[str], said: Path) -> None:
    """`metazoo` in this process, with no file of more bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.argv, sys.stdout, sys.stderr = ["metazoo", *arguments], said.open("w"), said.open("w")
    main()


@pytest.mark.parametrize(("limit", "file"), [(3_000, "fixed.safetensors"), (60_000, "units/00000")])
def test_a_file_size_limit_ends_a_build_with_the_file_and_the_bytes_that_it_needs(tmp_path, server, limit, file):
    arguments = ["build", *DIGITS, "--out", str(tmp_path / "zoo")]
    process = server.Process(target=limited, args=(limit, arguments, tmp_path / "said"))
    process.start()
    process.join()
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 1  # and no signal
    assert f"cannot write {tmp_path / 'zoo' / file}" in said
    assert "bytes needed): File too large" in said
    assert "Traceback" not in said
    assert not leftovers(tmp_path)
    assert not (tmp_path / "zoo" / MANIFEST).exists()


def on_a_small_disk(folder: Path, said: Path) -> None:
    """Builds in this process on a disk that is full too soon, then with room; the disk goes with the process."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    own = ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0 and not subprocess.run(["mount", "--make-rprivate", "/"]).returncode
    if not own or subprocess.run(mount).returncode:
        os._exit(NO_DISK)
    lines: list[object] = []
    try:
        build_here(folder)
    except OSError as error:
        lines += [str(error), leftovers(folder), (folder / "zoo" / MANIFEST).exists()]
    subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    build_here(folder)
    said.write_text(json.dumps([*lines, zoo.verify(folder / "zoo", nets=0), len(zoo.open(folder / "zoo"))]))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can make a small disk")
def test_a_build_on_a_small_disk_ends_cleanly_and_goes_on_when_there_is_room(tmp_path, server):
    (tmp_path / "disk").mkdir()
    process = server.Process(target=on_a_small_disk, args=(tmp_path / "disk", tmp_path / "said"))
    process.start()
    process.join()
    if process.exitcode == NO_DISK:
        pytest.skip("root may not make a small disk here")
    assert process.exitcode == 0
    error, *rest = json.loads((tmp_path / "said").read_text())
    assert re.search(rf"cannot write {tmp_path}/disk/zoo/\S+ \([\d,]+ bytes needed\): No space left on device", error)
    assert rest == [[], False, [], SPEC.nets]


def test_nets_of_an_absurd_learning_rate_are_kept_flagged_and_counted(tmp_path):
    wild = small(nets=48, recipe__learning_rate=(1e2, 1e4), recipe__epochs=(2, 2))
    zoo.build(wild, tmp_path / "zoo", workers=0)
    zoo.work(tmp_path / "zoo")
    made = zoo.open(zoo.build(wild, tmp_path / "zoo", workers=0))
    gone = made.columns["diverged"]
    assert 0 < gone.sum() < len(made) == 48
    assert made.columns.loc[gone, ["test_accuracy", "train_loss", "generalisation_gap"]].isna().all(axis=None)
    assert made.columns.loc[~gone, ["test_accuracy", "train_loss"]].notna().all(axis=None)
    assert not set(made.columns.index[gone]) & {int(i) for split in made.parts for i in made.nets(split).index}
    assert zoo.verify(made.folder, nets=0) == []
    assert sum(split["diverged"] for split in summary(made)["nets"].values()) == gone.sum()
    task = task_of(made, made, "test_accuracy", "trained", None, None)
    assert task.diverged_left_out == gone.sum()
    assert sum(task.nets.values()) == len(made) - gone.sum()


@pytest.fixture
def whole(places, tmp_path) -> Path:
    """A zoo to be spoilt."""
    return shutil.copytree(places["built"] / "zoo", tmp_path / "zoo")


def shards(folder: Path) -> list[str]:
    return [name for name in read_manifest(folder) if name.startswith("data/")]


@pytest.mark.parametrize("region", ["signature", "superblock", "headers", "weights", "last byte"])
def test_a_flipped_bit_in_each_region_of_a_shard_is_found_by_name(whole, region):
    for name in shards(whole):
        with h5py.File(whole / name) as file:
            start = file["weights"].id.get_offset()
        size = (whole / name).stat().st_size
        place = {"signature": 1, "superblock": 9, "headers": 200, "weights": start + 17, "last byte": size - 1}[region]
        data = bytearray((whole / name).read_bytes())
        data[place] ^= 4
        (whole / name).write_bytes(data)
        assert [name in problem for problem in zoo.verify(whole, nets=0)] == [True]
        data[place] ^= 4
        (whole / name).write_bytes(data)
    assert zoo.verify(whole, nets=0) == []


def test_a_truncated_and_a_missing_shard_are_found_by_name(whole):
    first, second, *_ = shards(whole)
    os.truncate(whole / first, 4096)
    (whole / second).unlink()
    found = zoo.verify(whole, nets=0)
    assert [first in found[0], second in found[1], len(found)] == [True, True, 2]


def test_swapped_shards_are_found_by_name(whole):
    first, *_, last = shards(whole)
    (whole / first).rename(whole / "aside")
    (whole / last).rename(whole / first)
    (whole / "aside").rename(whole / last)
    found = zoo.verify(whole, nets=0)
    assert [first in found[0], last in found[1], len(found)] == [True, True, 2]


def spoilt_lines(text: str) -> list[tuple[str, str]]:
    """Manifests with one line damaged in each way, and what is done to it."""
    lines = text.splitlines(keepends=True)
    found = []
    for number, line in enumerate(lines):
        digit = "0" if line[5] != "0" else "1"
        flips = {
            "digest": line[:5] + digit + line[6:],
            "name": line[:-2] + chr(ord(line[-2]) ^ 1) + "\n",
            "space": line.replace("  ", " !"),
            "half": line[:40] + "\n",
            "lost": "",
        }
        found += [(f"{kind} of {line[66:].strip()}", "".join([*lines[:number], new, *lines[number + 1 :]]))
                  for kind, new in flips.items()]  # fmt: skip
    swapped = [line[:64] + other[64:] for line, other in zip(lines, reversed(lines), strict=True)]
    return [*found, ("digests swapped", "".join(swapped)), ("cut", text[: len(text) // 2]), ("empty", "")]


def test_a_damaged_line_of_the_manifest_is_found(whole):
    text = (whole / MANIFEST).read_text()
    for kind, spoilt in spoilt_lines(text):
        (whole / MANIFEST).write_text(spoilt)
        try:
            found = zoo.verify(whole, nets=0)
        except ValueError as error:
            found = [str(error)]
        assert found, kind
        assert all(str(whole) in line for line in found), kind
    (whole / MANIFEST).write_text(text)
    assert zoo.verify(whole, nets=0) == []
