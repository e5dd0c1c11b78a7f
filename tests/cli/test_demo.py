import pandas as pd
import pytest

import zoo
from benchmark.cli.demo import FAMILIES, NAMES, demo, sentence
from metanets import Training


def cells(standard: float, asymmetric: float, baseline: float, std: float = 0.01) -> pd.DataFrame:
    rows = [
        {"family": family, "metanet": name, "baseline": name == "ridge", "r2_mean": r2, "r2_std": std, "tau_mean": 0.5}
        for family, mlp in (("standard", standard), ("w_asymmetric", asymmetric))
        for name, r2 in (("mlp", mlp), ("ridge", baseline))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("standard", "asymmetric", "baseline", "verdict", "relation"),
    [
        (0.3, 0.6, 0.1, "as the paper found", "above"),
        (0.6, 0.3, 0.9, "opposite of what the paper found", "below"),
        (0.5, 0.51, 0.505, "does not show the paper's finding", "level with"),
    ],
)
def test_the_sentence_says_what_came_out_whatever_it_is(standard, asymmetric, baseline, verdict, relation):
    text = sentence(cells(standard, asymmetric, baseline))
    assert verdict in text
    assert relation in text
    assert f"{standard:.2f}" in text
    assert f"{asymmetric:.2f}" in text


def test_the_demo_scores_every_metanet_on_both_families_and_is_quick_the_second_time(tmp_path):
    quick = {"nets": 40, "seeds": 1, "training": Training(epochs=1, batch=8, learning_rates=(1e-3,)), "workers": 2}
    made = demo(tmp_path, **quick)
    assert set(zip(made.board.cells["family"], made.board.cells["metanet"], strict=True)) == {
        (family, name) for family in FAMILIES for name in NAMES
    }
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in made.pictures)
    assert "R²" in made.sentence
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/**/*.json")}
    assert demo(tmp_path, **quick).sentence == made.sentence
    assert {path: path.stat().st_mtime_ns for path in before} == before
    more = demo(tmp_path, **{**quick, "nets": 44})  # extended zoos are other zoos, scored anew
    assert len(more.board.cells) == len(made.board.cells)


def test_the_demos_zoos_are_the_built_in_digits():
    for family in FAMILIES:
        assert zoo.load(f"digits-resnet8-{family}").images.task == "digits"
