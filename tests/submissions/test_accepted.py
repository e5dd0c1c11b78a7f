"""Whatever `check` accepts, board, pairs, comparisons, pages and files for others can be made of."""

import io
import json
import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import ABOUT, STANDARD, frame_of, put, suite
from rich.console import Console

from benchmark.leaderboard.compare import compare
from benchmark.leaderboard.hub_results import emit
from benchmark.leaderboard.latex_csv import to_csv, to_latex
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.tables import to_markdown, to_table
from benchmark.records import records
from benchmark.site.site import site
from benchmark.submissions.check import check
from benchmark.submissions.submission import read_submission, submission
from benchmark.submissions.submit import submit

STRANGE = st.sampled_from(
    (
        *(None, True, 0, 1, -1, 2**63 - 1, 1e308, -0.0, 5e-324, [], {}, ["a"], {"a": [1, {"b": None}]}, {"r2": 1.0}),
        *("", "x", "dmc", "a" * 200, "\x1b[2J", "\u202e", "1970-01-01", "0001-01-01", "9999-12-31", "=1+1"),
        *("test_accuracy,nets=3", "a,shift=b,from=c", {"train": 1}, {"validation": 40, "test": 40}),
    )
)


def render(folder: Path) -> None:
    """All that is made of records."""
    board = leaderboard(folder)
    for cells in board.boards():
        for made in (to_markdown(cells), to_latex(cells), to_csv(cells)):
            assert made
        Console(file=io.StringIO(), width=80).print(to_table(cells, width=80))
    board.pairs()
    assert repr(board)
    assert board._repr_html_()
    site(folder, [])
    emit(folder, folder.parent / f"{folder.name}-emitted")
    compare("statnn", "dmc", folder)


def places(value: object, at: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else ()
    return [at] * bool(at) + [place for name, part in inner for place in places(part, (*at, name))]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A leaderboard with a submission, which tests copy."""
    folder = suite(tmp_path_factory.mktemp("base") / "results", STANDARD)
    put(folder, "theirs.Net", submitted=True)
    assert check(folder).problems == ()
    return folder


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_whatever_check_accepts_can_be_rendered(base, tmp_path_factory, data):
    folder = shutil.copytree(base, tmp_path_factory.mktemp("mutated") / "results")
    homes = sorted(folder.glob("**/theirs.Net"))
    value = json.loads((homes[0] / "seed-0.json").read_text())
    changes = data.draw(st.lists(st.tuples(st.sampled_from(places(value)), STRANGE), min_size=1, max_size=2))
    for path in homes[0].glob("seed-*.json"):
        value = json.loads(path.read_text())
        for place, new in changes:
            inside = value
            for name in place[:-1]:
                inside = inside.get(name) if isinstance(inside, dict) else None
            if isinstance(inside, dict):
                inside[place[-1]] = new
        path.write_text(json.dumps(value))
    found = check(folder)
    if found.problems:
        assert all(str(folder) in line for line in found.problems)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render(folder)  # of what check refuses too: it is left out, and the others are shown


def test_a_zoo_that_was_only_fitted_on_is_drawn_by_its_label(base, tmp_path):
    folder = Path(shutil.copytree(base, tmp_path / "results"))
    for path in folder.glob("**/theirs.Net/seed-*.json"):
        value = json.loads(path.read_text())
        value["task"]["zoo"]["name"] = "x"
        path.write_text(json.dumps(value))
    render(folder)


def test_nets_without_a_split_are_refused_by_name_and_the_rest_is_shown(base, tmp_path):
    folder = Path(shutil.copytree(base, tmp_path / "results"))
    path = next(folder.glob("**/theirs.Net/seed-0.json"))
    value = json.loads(path.read_text())
    del value["task"]["nets"]["train"]
    path.write_text(json.dumps(value))
    assert [line for line in check(folder).problems if "task.nets" in line and str(path) in line]
    render(folder)


def test_every_bad_file_is_named(base, tmp_path):
    folder = Path(shutil.copytree(base, tmp_path / "results"))
    bad = sorted(folder.glob("**/seed-3.json"))
    for path in bad:
        path.write_text("{")
    problems = check(folder).problems
    assert all(any(str(path) in line for line in problems) for path in bad)
    assert check(folder).records == 4 * len(bad)


def test_what_is_said_of_one_zoo_must_agree(base, tmp_path):
    folder = Path(shutil.copytree(base, tmp_path / "results"))
    for name, images in (("dmc", 697), ("theirs.Net", 34_850)):
        for path in folder.glob(f"**/{name}/seed-*.json"):
            value = json.loads(path.read_text())
            value["task"]["facts"] = {"test_images": images, "varied": []}
            path.write_text(json.dumps(value))
    problems = [line for line in check(folder).problems if "task.facts are" in line]
    assert len(problems) == 5
    assert all("theirs.Net" in line and "697" in line for line in problems)
    render(folder)


def test_invented_labels_are_compared_with_those_on_the_leaderboard(base, tmp_path):
    to = Path(shutil.copytree(base, tmp_path / "results"))
    frames = {seed: frame_of("x", seed, 0.1).assign(target=lambda f: f["target"].iloc[::-1].to_numpy()) for seed in range(5)}
    mine = put(tmp_path / "mine", "new.Net", frames=frames)
    with pytest.raises(ValueError, match=r"the test_accuracy of validation nets .* is not that of"):
        submit([mine], submission(**ABOUT), to=to)
    other = put(tmp_path / "mine", "other.Net", frames=frames, target="test_loss")  # another target has other labels
    (folder,) = submit([other], submission(**ABOUT), to=to)
    assert not read_submission(folder / "submission.json").labels_checked


def test_what_nobody_submitted_no_submission_supersedes(base, tmp_path):
    to = Path(shutil.copytree(base, tmp_path / "results"))
    mine = put(tmp_path / "mine", "statnn", noise=0.01)
    with pytest.raises(ValueError, match="no submission supersedes"):
        submit([mine], submission(**ABOUT, supersedes="statnn"), to=to)
    home = next(to.glob("*/*/statnn"))
    laid = Path(shutil.copytree(mine, home.with_name("statnn.2")))
    about = {**json.loads((next(to.glob("**/theirs.Net")) / "submission.json").read_text()), "supersedes": "statnn"}
    (laid / "submission.json").write_text(json.dumps(about))
    assert {"statnn", "statnn (submitted by someone)"} <= set(leaderboard(to).cells["metanet"])
    assert any("statnn and statnn.2 both count" in line for line in check(to).problems)


def test_what_somebody_else_submitted_no_submission_supersedes(base, tmp_path):
    to = Path(shutil.copytree(base, tmp_path / "results"))
    mine = put(tmp_path / "mine", "theirs.Net", noise=2)
    for supersedes in (None, "theirs.Net"):
        with pytest.raises(
            FileExistsError, match="was submitted by 'someone', not by 'a rival'; give your metanet another name"
        ):
            submit([mine], submission(**ABOUT | {"contact": "a rival"}, supersedes=supersedes), to=to)
    home = next(to.glob("*/*/theirs.Net"))
    laid = Path(shutil.copytree(mine, home.with_name("theirs.Net.2")))
    about = json.loads((home / "submission.json").read_text()) | {"supersedes": "theirs.Net", "contact": "a rival"}
    (laid / "submission.json").write_text(json.dumps(about))
    assert {f"theirs.Net (code unknown, submitted by {who})" for who in ("someone", "a rival")} <= set(
        leaderboard(to).cells["metanet"]
    )
    assert any("both count; a correction" in line for line in check(to).problems)
    (laid / "submission.json").write_text(json.dumps(about | {"contact": "someone"}))
    assert not check(to).problems


@pytest.mark.parametrize("field", ["code", "parameters"])
def test_seeds_of_other_code_or_parameters_are_refused(tmp_path, field):
    home = put(tmp_path, "mine:Mine", seeds=(0,), code="a", parameters=41_153)
    put(
        tmp_path,
        "mine:Mine",
        seeds=(1, 2),
        **{"code": "a", "parameters": 41_153, field: {"code": "b", "parameters": 329_217}[field]},
    )
    problems = check(tmp_path).problems
    assert len(problems) == 2
    assert all(f"its {field} (" in line for line in problems)
    put(tmp_path, "mine:Mine", seeds=(1, 2), code="a", parameters=41_153)
    assert check(tmp_path).problems == ()
    assert records.paths(home)
