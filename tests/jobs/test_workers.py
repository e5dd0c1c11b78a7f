"""Workers on a shared folder: whatever is killed, and whenever, every unit is done once and the bytes are the same."""

import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
from conftest import ALL_OF_ZOO, small

import zoo
from zoo.jobs import leases, plan, units
from zoo.jobs.leases import Holder
from zoo.jobs.units import ATTEMPTS, Workshop
from zoo.jobs.workers import check_failures
from zoo.storage import files
from zoo.untrusted.json import read_json

SPEC = small(nets=24)
KILLS = 20


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder in which 4 units wait for workers; tests work on copies."""
    folder = tmp_path_factory.mktemp("workers") / "zoo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.jobs.plan.NETS_A_UNIT", 6)
        zoo.build(SPEC, folder, workers=0)
    return folder


@pytest.fixture
def folder(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "zoo")


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """The SHA-256 of each unit's rows, when nothing went wrong."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("undisturbed") / "zoo")
    zoo.work(folder)
    return rows(folder)


@pytest.fixture(scope="module")
def server():
    """Starts processes in which everything is imported already, without the hazards of forking this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*ALL_OF_ZOO, "test_workers"])
    return context


def rows(folder: Path) -> dict[str, str]:
    receipts = {unit.number: read_json(unit.receipt(folder)) for unit in plan.units(folder)}
    for unit in plan.units(folder):
        assert unit.is_done(folder)
        unit.read(folder)  # checks the bytes
    return {number: receipt["sha256"] for number, receipt in receipts.items()}


def work_and_die(folder: Path, call: int | None = None) -> None:
    """Works in this process; kills it before the `call`-th step that makes a change durable or visible."""
    import torch

    torch.set_num_threads(1)
    counted = 0

    def armed(function):
        def step(*args, **kwargs):
            nonlocal counted
            counted += 1
            if counted == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return step

    for name in ("fsync", "link", "replace", "rename", "unlink"):
        setattr(os, name, armed(getattr(os, name)))
    zoo.work(folder)


def test_killed_at_random_moments_the_rows_are_those_of_an_undisturbed_build(folder, undisturbed, server):
    moments, at_work = random.Random(0), 0
    for attempt in range(20 * KILLS):
        if at_work == KILLS:
            break
        process = server.Process(target=work_and_die, args=(folder,))
        process.start()
        while not list(folder.glob("units/*.lease")) and process.is_alive():
            time.sleep(0.001)
        process.join(moments.uniform(0.0, 0.3))
        process.kill()
        process.join()
        at_work += bool(list(folder.glob("units/*.lease")))  # else it had done all before
        for failures in folder.glob("units/*.failed.json"):
            failures.unlink()  # what starting `metazoo build` again does
        if not [unit for unit in plan.units(folder) if not unit.is_done(folder)]:
            done = random.Random(attempt).choice(plan.units(folder))  # more to do for the next ones
            done.receipt(folder).unlink()
    zoo.work(folder)
    assert rows(folder) == undisturbed
    assert at_work == KILLS


def test_killed_at_each_step_of_a_commit_the_rows_are_those_of_an_undisturbed_build(prepared, tmp_path, undisturbed, server):
    zoo.work(one_left := shutil.copytree(prepared, tmp_path / "zoo"))
    plan.units(one_left)[2].receipt(one_left).unlink()
    call, finished = 0, False
    while not finished:
        call += 1
        folder = shutil.copytree(one_left, tmp_path / str(call))
        process = server.Process(target=work_and_die, args=(folder, call))
        process.start()
        process.join()
        finished = process.exitcode == 0
        assert finished or process.exitcode == -signal.SIGKILL
        for unit in plan.units(folder):  # a receipt never stands without its rows
            assert unit.is_done(folder) == unit.receipt(folder).exists()
        zoo.work(folder)
        assert rows(folder) == undisturbed
    assert call > 8  # the lease, the rows and the receipt, each made durable and given its name


def test_rows_are_durable_before_their_receipt_is_there(folder, monkeypatch):
    steps = []

    def noted(name, function):
        def step(*args, **kwargs):
            seen = Path(f"/proc/self/fd/{args[0]}").readlink() if name == "fsync" else str(args[-1])
            steps.append((name, Path(seen).name))
            return function(*args, **kwargs)

        return step

    for name in ("fsync", "link", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    unit = plan.units(folder)[0]
    unit.commit(folder, b"rows", {})
    kinds = [(name, "folder" if target == "units" else target.split(".")[-1]) for name, target in steps]
    assert kinds == [
        *[("fsync", "tmp"), ("replace", "h5"), ("fsync", "folder")],
        *[("fsync", "tmp"), ("link", "json"), ("fsync", "folder")],
    ]


def test_workers_that_steal_all_the_time_still_do_every_unit(folder, undisturbed, server):
    processes = [server.Process(target=steal, args=(folder,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert rows(folder) == undisturbed
    assert len(list(folder.glob("units/*.h5"))) == len(undisturbed)


def steal(folder: Path) -> None:
    import torch

    torch.set_num_threads(1)
    leases.STALE, units.ATTEMPTS = 0.0, 10**9
    zoo.work(folder)


def test_of_two_commits_the_first_wins(folder, capsys):
    unit = plan.units(folder)[0]
    unit.commit(folder, b"first", {})
    unit.commit(folder, b"first", {})
    assert capsys.readouterr().err == ""
    unit.commit(folder, b"second", {})
    assert "trained twice, with different results" in capsys.readouterr().err
    assert [path.read_bytes() for path in folder.glob("units/*.h5")] == [b"first"]
    assert read_json(unit.receipt(folder))["sha256"] == files.hash_of(b"first")


def test_a_unit_that_fails_is_tried_three_times_and_the_others_go_on(folder, monkeypatch):
    make, tried = Workshop.make, []

    def sometimes(workshop, unit, after_epoch):
        tried.append(unit.number)
        if unit.number == 1:
            raise ArithmeticError("no luck")
        make(workshop, unit, after_epoch)

    monkeypatch.setattr(Workshop, "make", sometimes)
    zoo.work(folder)
    assert tried == [0, 1, 2, 3, 1, 1]
    broken = plan.units(folder)[1]
    assert len(broken.attempts(folder)) == ATTEMPTS
    assert all("Traceback" in why and "ArithmeticError: no luck" in why for why in broken.attempts(folder))
    found = zoo.status(folder)
    assert (found.done, found.failed, found.running, found.units) == (3, 1, 0, 4)
    with pytest.raises(RuntimeError, match=r"1 unit\(s\) failed 3 times(?s:.)*nets 6 to 11: ArithmeticError: no luck"):
        check_failures(folder)
    monkeypatch.setattr(importlib.import_module("zoo.jobs.build"), "run", lambda folder, **_: zoo.work(folder))
    with pytest.raises(RuntimeError, match="failed 3 times"):  # a build tries again, and says so too
        zoo.build(SPEC, folder, workers=1)
    assert len(tried) == 9
    monkeypatch.setattr(Workshop, "make", make)
    assert len(zoo.open(zoo.build(SPEC, folder, workers=1))) == SPEC.nets


def test_a_full_disk_ends_the_worker_and_is_no_fault_of_the_unit(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Workshop, "make", full)
    with pytest.raises(OSError, match="No space left"):
        zoo.work(folder)
    assert not list(folder.glob("units/*.failed.json"))
    assert not list(folder.glob("units/*.lease"))


def lease_of(folder: Path, holder: Holder, age: float = 0) -> Path:
    path = leases.path_of(folder, plan.units(folder)[0])
    path.write_text(json.dumps({"holder": vars(holder), "epochs": 3}))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_a_lease_is_given_once_and_given_back(folder):
    unit = plan.units(folder)[0]
    lease = leases.claim(folder, unit)
    assert lease is not None
    with lease.held():
        assert leases.claim(folder, unit) is None
        lease.epochs = 5
        lease.beat()
        assert zoo.status(folder).running == 1
        assert zoo.status(folder).epochs == 5
    assert not lease.path.exists()
    assert leases.claim(folder, unit) is not None


@pytest.mark.parametrize(
    ("host", "pid", "age", "taken"),
    [
        ("elsewhere", 1, 0, False),  # alive, as far as anyone knows
        ("elsewhere", 1, 2 * leases.STALE, True),  # no heartbeat
        (socket.gethostname(), 1, 0, True),  # another process has that number now
    ],
)
def test_a_lease_is_taken_over_only_from_a_holder_that_is_gone(folder, host, pid, age, taken):
    lease_of(folder, Holder(host, pid, begun=12.0), age)
    unit = plan.units(folder)[0]
    assert (leases.claim(folder, unit) is not None) == taken
    assert len(unit.attempts(folder)) == taken


def test_a_lease_that_was_taken_over_is_left_to_its_new_holder(folder):
    unit = plan.units(folder)[0]
    lease = leases.claim(folder, unit)
    assert lease is not None
    with lease.held():
        path = lease_of(folder, Holder("elsewhere", 1, begun=12.0))
        before = path.read_text()
        lease.beat()
        assert path.read_text() == before
    assert path.read_text() == before


def test_a_lease_renewed_in_the_very_moment_is_put_back(folder, monkeypatch):
    path = lease_of(folder, Holder("elsewhere", 1, begun=12.0), age=2 * leases.STALE)
    found = leases.read(path)
    lease_of(folder, Holder("elsewhere", 2, begun=13.0))
    monkeypatch.setattr(leases, "read", lambda asked, read=leases.read: found if asked == path else read(asked))
    assert leases.claim(folder, plan.units(folder)[0]) is None
    monkeypatch.undo()
    renewed = leases.read(path)
    assert renewed is not None
    assert renewed.holder.pid == 2


def test_rows_that_vanish_during_a_build_are_an_error_not_a_zoo_without_them(folder, monkeypatch):
    def vanish(folder, **_):
        zoo.work(folder)
        next(folder.glob("units/00001.*.h5")).unlink()

    monkeypatch.setattr(importlib.import_module("zoo.jobs.build"), "run", vanish)
    with pytest.raises(RuntimeError, match=r"1 unit\(s\) that were done are gone"):
        zoo.build(SPEC, folder, workers=1)
    monkeypatch.undo()
    assert len(zoo.open(zoo.build(SPEC, folder, workers=1))) == SPEC.nets


def test_work_needs_a_prepared_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no zoo: the folder is empty"):
        zoo.work(tmp_path)
    folder = zoo.build(small(), tmp_path / "zoo", workers=0)
    (folder / "plan.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no plan\.json"):
        zoo.work(folder)


def test_work_in_a_finished_zoo_is_nothing(standard):
    zoo.work(standard)


def test_a_worker_stopped_between_claim_and_work_gives_its_lease_back(tmp_path, monkeypatch):
    folder = zoo.build(small(), tmp_path / "zoo", workers=0)

    def stopped(place, unit):
        assert claim(place, unit) is not None
        raise SystemExit(143)

    claim = leases.claim
    monkeypatch.setattr(leases, "claim", stopped)
    with pytest.raises(SystemExit):
        zoo.work(folder)
    assert not list(folder.glob("units/*.lease"))
