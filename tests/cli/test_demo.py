import pytest
from conftest import SMALL
from made_records import ASYMMETRIC, STANDARD, put

import zoo
from benchmark.cli.demo import FAMILIES, NAMES, demo, finding
from benchmark.leaderboard.leaderboard import leaderboard
from metanets import Training
from zoo import load


@pytest.mark.parametrize(
    ("plain", "fixed", "baseline", "verdict", "relation"),
    [
        (2.0, 0.3, 3.0, "as the paper found", "above"),
        (0.3, 2.0, 0.1, "opposite of what the paper found", "below"),
        (0.5, 0.5, 0.5, "does not show the paper's finding", "level with"),
    ],
)
def test_the_finding_is_what_came_out_whatever_it_is(made, tmp_path, plain, fixed, baseline, verdict, relation):
    """Of predictions with so much noise, by the MLP on each family and by ridge on both."""
    for of, noise in ((STANDARD, plain), (ASYMMETRIC, fixed)):
        put(tmp_path, "mlp", of, noise=noise)
        put(tmp_path, "ridge", of, noise=baseline)
    text = finding(leaderboard(tmp_path).results, made)
    assert verdict in text
    assert relation in text
    assert "accuracy has a standard deviation of" in text


@pytest.fixture
def made(standard, asymmetric) -> list[zoo.Zoo]:
    """A zoo of each family."""
    return [zoo.open(standard), zoo.open(asymmetric)]


def test_the_demo_scores_every_metanet_on_both_families_and_is_quick_the_second_time(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.load", lambda name, given: load(name, {**SMALL, **given}))  # nets that are trained in no time
    quick = {"nets": 40, "seeds": 1, "training": Training(epochs=1, batch=8, learning_rates=(1e-3,)), "workers": 2}
    made = demo(tmp_path, **quick)
    assert set(zip(made.board.cells["family"], made.board.cells["metanet"], strict=True)) == {
        (family, name) for family in FAMILIES for name in NAMES
    }
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in made.pictures)
    assert "R²" in made.finding
    assert made.site.read_text().startswith("<!doctype html>")
    assert len(made.next) == 3
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/**/*.json")}
    assert demo(tmp_path, **quick).finding == made.finding
    assert {path: path.stat().st_mtime_ns for path in before} == before
    monkeypatch.setattr("benchmark.cli.demo.NAMES", few := ("mlp", "hybrid", "ridge"))
    more = demo(tmp_path, **{**quick, "nets": 44})  # extended zoos are other zoos, scored anew
    assert len(more.board.cells) == len(few) * len(FAMILIES)
    assert len([*tmp_path.glob("results/**/*.json")]) == len(before) + len(few) * len(FAMILIES)


def test_the_demos_zoos_are_the_built_in_digits():
    for family in FAMILIES:
        assert zoo.load(f"digits-resnet8-{family}").images.task == "digits"
