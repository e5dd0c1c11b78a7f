"""Connectivity reports: the numbers of the pairs, and intervals for which nets are drawn; kept, read again, on the page."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import zoo
from benchmark.analyses import connectivity
from benchmark.analyses.connectivity import keep, read, report
from benchmark.analyses.reports import all_of
from benchmark.cli.main import app
from benchmark.scoring.score import score
from benchmark.scoring.task import reference
from benchmark.site.site import site
from metanets import Training
from zoo.landscape.connect import Settings, connect
from zoo.landscape.material import images_of

QUICK = Settings(points=3, images=20)


@pytest.fixture(scope="module")
def found(standard):
    made = zoo.open(standard)
    return connect(made, images_of(made), pairs=12, remove=["none", "scale"], settings=QUICK)


@pytest.fixture(scope="module")
def told(standard, found):
    return report(reference(zoo.open(standard)), found, QUICK, "metazoo connect ZOO --out results")


def test_a_report_has_the_means_of_the_pairs_and_intervals_around_them(found, told):
    assert [row.remove for row in told.rows] == ["none", "scale"]
    for row in told.rows:
        part = found.frame[found.frame["remove"] == row.remove]
        assert row.pairs == len(part) == 12
        assert row.nets == len(set(part["i"]) | set(part["j"]))
        for name, barrier in row.barriers.items():
            assert barrier.mean == pytest.approx(part[name].mean())
            assert barrier.low < barrier.mean < barrier.high
        assert row.loss == pytest.approx(found.curves[row.remove].loss.mean(axis=0))
        lost = row.loss[1] - (row.loss[0] + row.loss[2]) / 2
        assert lost == pytest.approx(row.barriers["barrier_mid"].mean)


def test_intervals_are_wider_than_those_that_take_pairs_for_independent():
    """Of barriers that are the sum of what each of two nets is worth: 28 pairs of 8 nets say less than of 56."""
    worth, ends = np.random.default_rng(0).normal(size=8), np.stack(np.triu_indices(8, 1), axis=1)
    values, alone = worth[ends].sum(axis=1), np.arange(56).reshape(28, 2)
    shared, apart = (connectivity._barrier(values, of) for of in (ends, alone))
    assert shared.mean == apart.mean == pytest.approx(values.mean())
    assert shared.high - shared.low > 1.3 * (apart.high - apart.low) > 0


def test_a_report_is_kept_read_again_and_a_damaged_one_refused(told, tmp_path):
    path = keep(tmp_path, told)
    assert read(path) == told
    value = json.loads(path.read_text())
    row = value["rows"][0]
    for broken, said in (
        ({**value, "schema": "metazoo-connect-9"}, "schema"),
        ({**value, "rows": []}, "rows"),
        ({**value, "rows": [{**row, "remove": "everything"}]}, "rows.0.remove"),
        ({**value, "rows": [{**row, "loss": [0.0] * 10_000}]}, "rows.0.loss"),
        ({**value, "rows": [{**row, "loss": [0.0] * 5}]}, "rows.0.*5 points of loss and 3 of loss_sd"),
        ({**value, "rows": [{**row, "loss": [1e308, 0.0, -1e308]}]}, "rows.0.loss"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=said):
            read(path)


def test_the_verb_keeps_it_and_the_page_shows_it(standard, tmp_path):
    copied = shutil.copytree(standard, tmp_path / "copy")
    score([standard], ["mean"], "test_accuracy", out=tmp_path / "results", seeds=1, training=Training())
    verb = ["connect", str(copied), "--pairs", "6", "--points", "3", "--test-images", "20", "--remove", "none,permutation"]
    done = CliRunner().invoke(app, [*verb, "--out", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    (kept,) = (tmp_path / "results").glob("*/connect.json")
    barrier = read(kept).rows[1].barriers["barrier_mid"]
    pages = site(tmp_path / "results", [])
    label = kept.parent.name
    shown = [text.decode() for name, text in pages.items() if name.startswith("zoos/") or name == "index.html"]
    assert len(shown) == 2
    assert all(f"{barrier.mean:.3f}" in text and f"{barrier.high:.3f}" in text for text in shown)
    assert any(name.startswith("pictures/") and b"removed before" in data for name, data in pages.items()), label
    assert all_of(tmp_path / "results", connectivity.FILE, read) == ([read(kept)], [])
    kept.write_text("{}")
    assert "connect.json" in site(tmp_path / "results", [])["index.html"].decode()


def test_a_report_of_two_zoos_is_refused(standard, asymmetric, tmp_path):
    done = CliRunner().invoke(app, ["connect", str(standard), str(standard), "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "a report is of the pairs of one zoo" in " ".join(done.output.split())
