import dataclasses

import numpy as np
from conftest import ROOT

from benchmark.leaderboard.columns import families
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.site.pictures import forest, predicted_against_true
from benchmark.site.svg import INK, slug

CELLS = next(iter(leaderboard(ROOT / "data/results").boards()))


def drawn() -> tuple[str, bytes]:
    """The alternative text of a forest plot of real records, and the picture."""
    picture = forest(CELLS, list(dict.fromkeys(CELLS["metanet"])), families(CELLS), "a title")
    return picture.alt, picture.data


def test_a_picture_tells_its_numbers_in_words():
    alt, _ = drawn()
    for _, row in CELLS.iterrows():
        assert f"{round(row['r2_mean'], 3) + 0.0:.3f}" in alt
        assert row["metanet"] in alt


def test_a_picture_of_some_nets_tells_of_all():
    first = leaderboard(ROOT / "data/results").results[0]
    true = np.linspace(0, 1, 2500)
    many = dataclasses.replace(first, target=true, predicted=np.stack([np.append(true[:-1], 7.0)] * len(first.records)))
    alt = predicted_against_true(many).alt
    assert "of 2500 test nets, one in 3 drawn, seed 0" in alt
    assert "predicted from 0 to 7." in alt
    assert f"of {len(first.target)} test nets, seed 0" in predicted_against_true(first).alt


def test_the_same_picture_has_the_same_bytes_and_no_ink_of_its_own():
    assert drawn() == drawn()
    assert INK.encode() not in drawn()[1].replace(f"svg{{color:{INK}}}".encode(), b"")


def test_slugs_are_safe_and_differ_where_names_do():
    names = ["a/b", "a.b", "../x", "<img>", "mlp", "MLP"]
    assert len({slug(name).lower() for name in names}) == len(names)
    assert all(set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") for name in names)
