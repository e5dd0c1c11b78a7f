"""A zoo built on a real Ray cluster of two nodes on this machine, one of which dies; and a driver that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, small

import zoo
from zoo.jobs import plan
from zoo.spec.spec import to_json
from zoo.storage.manifest import read_manifest
from zoo.untrusted.json import read_json

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
pytest.importorskip("ray", reason="Ray is not installed; pip install 'metazoo[ray]' brings it")

SPEC = small(nets=96)
BUILD = """
import sys
import zoo
if __name__ == "__main__":
    zoo.build(zoo.load(sys.argv[3]), sys.argv[1], ray=sys.argv[2], workers=2)
"""
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, found dead within two seconds."""
    from ray.cluster_utils import Cluster

    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    os.environ["PYTHONPATH"] = paths  # workers find what this process finds
    node = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={**node, "_system_config": QUICK})
    made.add_node(num_cpus=1, object_store_memory=80_000_000)
    yield made
    made.shutdown()
    del os.environ["PYTHONPATH"]


def start(folder: Path, address: str) -> subprocess.Popen:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.jobs.plan.NETS_A_UNIT", 4)
        zoo.build(SPEC, folder, workers=0)
    script, spec = folder.parent / "build.py", folder.parent / "spec.json"
    script.write_text(BUILD)
    spec.write_text(json.dumps(to_json(SPEC)))
    return subprocess.Popen([sys.executable, script, folder, address, spec], stdout=subprocess.DEVNULL)


def until(folder: Path, done: int, process: subprocess.Popen) -> dict[Path, bytes]:
    """The receipts, as soon as there are so many."""
    while zoo.status(folder).done < done:
        assert process.poll() is None
        time.sleep(0.02)
    return {path: path.read_bytes() for path in folder.glob("units/?????.json")}


def content(folder: Path) -> dict[str, str]:
    return read_manifest(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster") / "zoo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.jobs.plan.NETS_A_UNIT", 4)
        return content(zoo.build(SPEC, folder, workers=2))


def test_a_killed_driver_takes_its_workers_along_and_the_next_one_does_the_rest(cluster, tmp_path, undisturbed):
    folder = tmp_path / "zoo"
    process = start(folder, cluster.address)
    until(folder, 5, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while zoo.status(folder).running:  # Ray ends the workers of a driver that is gone
        time.sleep(0.1)
    receipts = {path: path.read_bytes() for path in folder.glob("units/?????.json")}
    assert 5 <= len(receipts) < 24
    assert content(zoo.build(SPEC, folder, ray=cluster.address, workers=2)) == undisturbed
    assert all(path.read_bytes() == data for path, data in receipts.items()), "a finished unit was trained again"


def test_a_node_dies_and_every_unit_is_done_once(cluster, tmp_path, undisturbed):
    folder = tmp_path / "zoo"
    process = start(folder, cluster.address)
    receipts = until(folder, 5, process)
    node = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
    cluster.remove_node(node, allow_graceful=False)
    assert process.wait(timeout=120) == 0
    assert content(folder) == undisturbed
    assert all(path.read_bytes() == data for path, data in receipts.items())
    done = [read_json(path)["nets"] for path in sorted(folder.glob("units/?????.json"))]
    assert done == [[start, start + 4] for start in range(0, 96, 4)]
    assert plan.units(folder) == []


def test_without_a_cluster_the_error_says_so(tmp_path):
    with pytest.raises(ConnectionError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        zoo.build(small(nets=8), tmp_path / "zoo", ray="127.0.0.1:1", workers=1)
