import io
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from made_records import ASYMMETRIC, BASELINE, NETS, STANDARD, THIRD, frame_of, put, suite
from rich.console import Console

from benchmark.leaderboard.beyond import BEYOND
from benchmark.leaderboard.columns import columns, number
from benchmark.leaderboard.compare import compare
from benchmark.leaderboard.entries import sorted_out
from benchmark.leaderboard.hub_results import emit, slug, slugs
from benchmark.leaderboard.latex_csv import to_csv, to_latex
from benchmark.leaderboard.leaderboard import NO_GAIN, NO_TREES, NOT_CHECKED, leaderboard
from benchmark.leaderboard.names import label, resembles
from benchmark.leaderboard.notices import notices
from benchmark.leaderboard.ranking import ranked
from benchmark.leaderboard.tables import frame_tables, to_markdown, to_table
from benchmark.records import records
from benchmark.records.readable import readable
from benchmark.records.records import Code, Method
from benchmark.site.site import site
from benchmark.site.svg import slug as page_slug
from benchmark.submissions.submission import submission

BY = submission(code_url="https://a.org", commit="0" * 40, contact="someone", citation="x", external_data="none")


@pytest.mark.parametrize(
    ("name", "zoos"),
    [("theirs:Net", [STANDARD]), ("statnn2", [THIRD]), ("theirs:Net", [ASYMMETRIC, THIRD])],
    ids=["known", "new", "both"],
)
def test_a_partial_submission_changes_nobodys_rank_or_score(tmp_path, name, zoos):
    (before,) = leaderboard(suite(tmp_path)).boards()
    for zoo in zoos:
        put(tmp_path, name, zoo, noise=0.001, submitted=True)
    (after,) = leaderboard(tmp_path).boards()
    was, now = ranked(before), ranked(after)
    assert now.ranks == was.ranks != {}
    assert now.zoos == was.zoos
    (incomplete,) = now.incomplete
    assert incomplete.startswith(f"{name} (")
    assert [one for one in now.names if one != incomplete] == list(was.names)
    others = after[after["metanet"] != incomplete].reset_index(drop=True)
    pd.testing.assert_frame_equal(others.drop(columns="position"), before.drop(columns="position"))  # it has one where it is
    assert "unranked" in to_markdown(after)
    made = site(tmp_path, [])["index.html"].decode()
    assert '<span class="quiet">unranked</span>' in made
    assert "unranked: no records on some of the zoos" in made
    assert "Unranked: no records" in to_latex(after)


def test_seeds_of_differing_code_are_rows_of_their_own_and_unknown_code_is_another(tmp_path):
    folders = [put(tmp_path / str(n), "mine:Mine", seeds=(n, n + 3), code=code) for n, code in enumerate(("a", "b", None))]
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert cells["seeds"].to_dict() == {f"mine:Mine (code {which})": 2 for which in ("a" * 8, "b" * 8, "unknown")}
    for folder in folders:
        alone = leaderboard(folder).cells.iloc[0]
        of = cells.loc[alone["metanet"]]
        assert (of["r2_mean"], of["r2_std"]) == (alone["r2_mean"], alone["r2_std"])


@pytest.mark.parametrize("field", ["parameters", "version"])
def test_seeds_of_other_parameters_or_version_are_left_out_and_never_averaged(tmp_path, field):
    put(tmp_path / "one", "dmc", seeds=(0, 1, 2))
    alone = leaderboard(tmp_path).cells
    put(tmp_path / "other", "dmc", seeds=(3, 4), **{field: 7})
    board = leaderboard(tmp_path)
    pd.testing.assert_frame_equal(board.cells, alone)
    assert len(board.left_out) == 2
    assert all("its name, code, version or parameters are not those of" in line for line in board.left_out)


def test_labels_that_a_submission_invents_leave_out_the_submission_and_nobody_else(tmp_path):
    before = leaderboard(suite(tmp_path)).cells
    frames = {
        seed: frame_of("x", seed, 0).assign(target=lambda f: f["prediction"] + 0.1 * (f["index"] % 2)) for seed in range(5)
    }
    for name in ("aaa:A", "bbb:B", "ccc:C", "ddd:D"):
        put(tmp_path, name, frames=frames, submitted=True)
    board = leaderboard(tmp_path)
    pd.testing.assert_frame_equal(board.cells, before)
    assert len(board.left_out) == 20


@pytest.mark.parametrize(
    "name", ["DMC", "d-m_c", "dm\u0441", "\u0501\u043c\u0441", "\uff44\uff4d\uff43", "statnn", "5tatnn", "MLP", "m1p", "mIp"]
)
def test_a_name_of_the_suite_or_like_one_is_the_suites_own_or_says_whose_it_is(name):
    method = Method(name, 1, False, 1)
    assert resembles(name) in ("dmc", "statnn", "mlp")
    assert label(method, BY).endswith("submitted by someone)")
    assert label(Method("dmc", 1, False, 1), None) == "dmc"
    assert label(Method("dmc", 1, False, 1, code=Code("x.py", "a" * 64)), None) == f"dmc (code {'a' * 8})"
    if name != "statnn":
        assert label(method, None) == f"{name} (code unknown)"


def test_what_a_submitter_writes_says_nothing_outside_its_brackets_and_no_code_is_said():
    boasting = replace(BY, contact="me) (verified")
    assert label(Method("supernet", 1, False, 1), boasting) == "supernet (code unknown, submitted by me] [verified)"


@pytest.mark.parametrize("reads", ["hyper_parameters", "hyper_parameters+canonical", "statistics", None])
def test_what_reads_the_recipe_says_so_in_its_name_unless_it_is_the_suites_baseline(reads):
    code, recipe = Code("x.py", "a" * 64), "hyper_parameters" in (reads or "")
    assert ("reads hyper-parameters" in label(Method("x:Mine", 1, False, 1, reads, code), BY)) == recipe
    assert label(Method("trees_hyper_parameters", 1, True, None, reads), None) == "trees_hyper_parameters"


@pytest.mark.parametrize("name", ["mlp2", "dmcs", "deep", "ridge_statistics", "mine"])
def test_other_names_are_not_taken_for_the_suites(name):
    assert resembles(name) is None
    assert label(Method(name, 1, False, 1), None) == name


def test_a_baseline_is_the_suites_own_and_gains_are_over_it_alone(tmp_path):
    put(tmp_path, "statnn")
    put(tmp_path, BASELINE, submitted=True)
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert not cells["baseline"].any()
    assert cells["gain"].isna().all()
    assert cells[[*BEYOND, "r2_beyond_low", "tau_beyond_high"]].isna().all(axis=None)
    assert "beyond recipe" not in to_markdown(leaderboard(tmp_path).boards()[0])


def test_the_recipe_is_the_gaussian_process_and_trees_where_there_is_none(tmp_path):
    for name, noise in (("trees_hyper_parameters", 0.9), ("statnn", 0.5)):
        put(tmp_path, name, noise=noise)
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert cells.index[cells["recipe"]].tolist() == ["trees_hyper_parameters"]
    put(tmp_path, "gp_hyper_parameters", noise=0.2)
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert cells.index[cells["recipe"]].tolist() == ["gp_hyper_parameters"]
    expected = cells["r2_mean"] - cells.loc["gp_hyper_parameters", "r2_mean"]
    np.testing.assert_allclose(cells["gain"].drop("gp_hyper_parameters"), expected.drop("gp_hyper_parameters"))


def test_what_is_beyond_the_recipe_is_told_for_every_metanet_but_the_baseline_and_bounded_from_two_seeds_on(tmp_path):
    put(suite(tmp_path), "mlp", seeds=(0,))
    board = leaderboard(tmp_path)
    assert (board.cells[[*BEYOND]].isna().all(axis=1) == (board.cells["metanet"] == BASELINE)).all()
    cells = board.cells.set_index("metanet")
    assert np.isnan(cells.loc["mlp", "r2_beyond_low"])
    assert (cells.loc["statnn", "r2_beyond_low"] > 0).all()
    (shown,) = board.boards()
    text = to_markdown(shown)
    assert text.count("standard R² beyond recipe |") == text.count("standard tau beyond recipe |") == 1
    assert text.endswith(
        "standard tau 1 (1.000 without ties); w_asymmetric tau 1 (1.000 without ties)\n"
    )  # no counts of images


def test_a_baseline_that_is_perfect_leaves_nothing_to_know(tmp_path):
    put(tmp_path, "statnn")
    put(tmp_path, BASELINE, noise=0)
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert cells[[*BEYOND]].isna().all(axis=None)
    assert cells.loc["statnn", "gain"] < 0


def test_a_gain_over_nothing_is_said_in_words_in_every_format(tmp_path):
    put(tmp_path, "statnn")
    flat = {seed: frame_of("x", seed, 0).assign(prediction=0.5) for seed in range(5)}
    put(tmp_path, BASELINE, frames=flat)
    (cells,) = leaderboard(tmp_path).boards()
    assert cells[["gain", *BEYOND]].isna().all(axis=None)
    assert NO_GAIN in to_markdown(cells)
    assert f"{NO_GAIN[0].upper()}{NO_GAIN[1:]}" in to_latex(cells)
    assert f",{NO_GAIN}," in to_csv(cells)
    assert f">{NO_GAIN}</span>" in site(tmp_path, [])["index.html"].decode()
    assert f">{NO_GAIN}</span>" in site(tmp_path, [])[f"metanets/{page_slug('statnn')}.html"].decode()
    console = Console(file=io.StringIO(), width=150)
    console.print(to_table(cells))
    assert NO_GAIN in console.file.getvalue()
    for path in records.paths(tmp_path):
        value = json.loads(path.read_text())
        value["task"]["nets"]["train"] = 8
        path.write_text(json.dumps(value))
    assert set(leaderboard(tmp_path).cells["gain_note"]) == {NO_TREES}


def test_a_submission_taken_without_its_zoo_says_so_on_board_and_page(tmp_path):
    put(suite(tmp_path), "theirs:Net", submitted=True)
    board = leaderboard(tmp_path)
    assert set(board.cells.loc[board.cells["labels"] == NOT_CHECKED, "metanet"]) == {
        "theirs:Net (code unknown, submitted by someone)"
    }
    assert NOT_CHECKED in to_markdown(board.boards()[0])
    assert NOT_CHECKED in site(tmp_path, [])["index.html"].decode()


@pytest.fixture(scope="module")
def board_of(tmp_path_factory):
    """The board of the suite and a submission on some zoos, made once."""

    @cache
    def made(zoos):
        folder = suite(tmp_path_factory.mktemp("zoos"), *zoos)
        put(folder, "theirs:Net", submitted=True)
        return leaderboard(folder)

    return made


@pytest.mark.parametrize("width", [40, 60, 80, 100, 133, 150])
@pytest.mark.parametrize("zoos", [(STANDARD,), (STANDARD, ASYMMETRIC), (STANDARD, ASYMMETRIC, THIRD)], ids=len)
def test_a_board_fits_any_terminal_and_names_what_it_leaves_out(board_of, width, zoos):
    (cells,) = board_of(zoos).boards()
    console = Console(file=io.StringIO(), width=width)
    console.print(to_table(cells, width=width))
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    best = cells[(cells["metanet"] == "statnn") & (cells["zoo"] == zoos[0].label())].iloc[0]
    assert number(best["r2_mean"]) in text
    assert "attainable by a perfect prediction: " in " ".join(text.split())
    heads = {column.kind for column in columns(cells)}
    left = " ".join(text.replace("│", " ").split()).partition("left out for width: ")[2]
    assert bool(left) == ("gain" not in text.partition("statnn")[0])
    assert "rank" in text or "rank" not in heads


@pytest.mark.parametrize("width", [40, 80, 150])
def test_a_frame_fits_any_terminal(tmp_path, width):
    frame = leaderboard(suite(tmp_path)).pairs().drop(columns=["task", "zoo"]).set_index("one")
    console = Console(file=io.StringIO(), width=width)
    console.print(*frame_tables(frame, "pairs", width=width), sep="\n")
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    numbers = frame.select_dtypes(float).to_numpy().flatten()
    assert all(f"{number:.3f}" in text for number in numbers)


def test_a_leaderboard_is_shown_in_a_few_lines(tmp_path):
    board = leaderboard(put(suite(tmp_path), "<b>", target="test_loss").parents[2])
    assert len(repr(board).splitlines()) == 3
    assert "best statnn" in repr(board)
    assert "&lt;b&gt;" in board._repr_html_()
    assert "<b>" not in board._repr_html_()


def said(folder, name: str) -> str:
    found = notices(leaderboard(folder).results)
    return " ".join(line for key, lines in found.items() if key[2].startswith(name) for line in lines)


def test_what_is_worth_a_look_is_said_of_those_that_it_is_true_of(tmp_path):
    suite(tmp_path, STANDARD)
    stolen = {seed: frame_of("statnn", seed, 0.2) for seed in range(5)}
    nearly = {seed: f.assign(prediction=3 * f["prediction"] + 1e-4 * (f["index"] % 3)) for seed, f in stolen.items()}
    put(tmp_path, "copy:C", frames=nearly, submitted=True)
    put(tmp_path, "same:S", frames=dict.fromkeys(range(5), frame_of("same", 0, 0.3)))
    test = {
        seed: f.assign(prediction=f["target"].where(f["split"] == "test", 0.5 + 0.01 * f["index"] % 0.1))
        for seed, f in stolen.items()
    }
    put(tmp_path, "leak:L", frames=test)
    put(tmp_path, "DMC", noise=0.6)
    assert "nearly those of statnn" in said(tmp_path, "copy:C")
    assert "its seeds predict the same" in said(tmp_path, "same:S")
    assert "R² is 1 within rounding" in said(tmp_path, "leak:L")
    assert "far above that on validation" in said(tmp_path, "leak:L")
    assert "reads as dmc" in said(tmp_path, "DMC")
    assert said(tmp_path, "statnn") + said(tmp_path, "dmc ") + said(tmp_path, BASELINE) == ""
    made = site(tmp_path, [])
    assert "worth a look</abbr>" in made["index.html"].decode()
    text = made[f"metanets/{page_slug('copy:C (code unknown, submitted by someone)')}.html"].decode()
    assert "nearly those of statnn" in text


def test_comparing_takes_a_short_name_where_it_is_one_metanets(tmp_path):
    put(suite(tmp_path), "mine:Mine", code="a")
    assert compare("mine:Mine", "dmc", tmp_path) == compare(f"mine:Mine (code {'a' * 8})", "dmc", tmp_path)
    put(tmp_path / "other", "mine:Mine", code="b")
    with pytest.raises(ValueError, match=r"several metanets .* are named mine:Mine"):
        compare("mine:Mine", "dmc", tmp_path)


def test_one_bad_file_of_each_kind_hides_no_other_record(tmp_path):
    before = leaderboard(suite(tmp_path)).cells
    for name in ("bad:A", "bad:B", "bad:C"):
        put(tmp_path, name, submitted=True)
    homes = {path.parent.name: path.parent for path in tmp_path.glob("**/seed-0.json")}
    (homes["bad.A"] / "submission.json").write_text("{")
    (homes["bad.B"] / "submission.json").write_text('{"schema": "none"}')
    for path in homes["bad.C"].glob("seed-*.parquet"):
        path.write_bytes(b"none")
    board = leaderboard(tmp_path)
    pd.testing.assert_frame_equal(board.cells, before)
    assert len(board.left_out) == 1 + 5 + 5
    assert "left out: " in site(tmp_path, [])["index.html"].decode()
    found, problems = readable(tmp_path)
    assert len(problems) == 6
    assert len(sorted_out(found).left_out) == 5


def test_names_with_one_slug_are_files_of_their_own(tmp_path):
    put(suite(tmp_path), "x.y", target="test_accuracy,nets=16")
    put(tmp_path, "x.y", target="test_accuracy-nets-16")
    assert len(emit(tmp_path, tmp_path / "out")) == len(set(emit(tmp_path, tmp_path / "out")))
    found = slugs(["a:b", "a-b", "c", "x" * 500])
    assert len(set(found.values())) == 4
    assert found["c"] == slug("c")
    assert max(map(len, found.values())) < 255


def test_enormous_scores_are_short(tmp_path):
    frames = {seed: frame_of("x", seed, 0.3).assign(prediction=lambda f: 1e120 * f["index"]) for seed in range(5)}
    put(tmp_path, "statnn", frames=frames)
    (cells,) = leaderboard(tmp_path).boards()
    assert max(map(len, to_markdown(cells).splitlines()[2:])) < 200
    assert NETS


def test_hashes_that_begin_alike_and_names_that_read_as_labels_are_not_mixed(tmp_path):
    put(tmp_path, "mine:Mine", seeds=(0, 1, 2), code="1")
    put(tmp_path, f"mine:Mine (code {'1' * 8})", seeds=(3, 4), noise=0.9)
    put(tmp_path, "a (code 11111111)", seeds=(0, 1))
    put(tmp_path, "a", seeds=(2, 3, 4), code="1", noise=0.9)
    for result in leaderboard(tmp_path).results:
        assert len({(record.metanet.name, record.metanet.code) for record in result.records}) == 1
