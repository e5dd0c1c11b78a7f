from conftest import ROOT

from benchmark.leaderboard import leaderboard
from benchmark.pictures import forest
from benchmark.svg import INK, slug
from benchmark.tables import families

CELLS = next(iter(leaderboard(ROOT / "data/results").boards()))


def drawn() -> tuple[str, bytes]:
    """The alternative text of a forest plot of real records, and the picture."""
    made: dict[str, bytes] = {}
    picture = forest(CELLS, list(dict.fromkeys(CELLS["metanet"])), families(CELLS), "a title", made)
    return picture.alt, made[picture.file]


def test_a_picture_tells_its_numbers_in_words():
    alt, _ = drawn()
    for _, row in CELLS.iterrows():
        assert f"{round(row['r2_mean'], 3) + 0.0:.3f}" in alt
        assert row["metanet"] in alt


def test_the_same_picture_has_the_same_bytes_and_no_ink_of_its_own():
    assert drawn() == drawn()
    assert INK.encode() not in drawn()[1].replace(f"svg{{color:{INK}}}".encode(), b"")


def test_slugs_are_safe_and_differ_where_names_do():
    names = ["a/b", "a.b", "../x", "<img>", "mlp", "MLP"]
    assert len({slug(name).lower() for name in names}) == len(names)
    assert all(set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") for name in names)
