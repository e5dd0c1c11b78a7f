"""Scoring from Python: what may be given, and what shows itself."""

from html.parser import HTMLParser

import numpy as np
import own_class
import pytest
from own_class import Mine
from sklearn.ensemble import ExtraTreesRegressor, StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import metanets
import metazoo as mz
from benchmark.leaderboard.scores import Scores, _folders
from benchmark.records import records
from benchmark.scoring.find import code_of_object
from metanets import METANETS, Estimator, Training
from metanets.table import fitting

QUICK = {"seeds": 1, "training": Training(epochs=2, batch=8, learning_rates=(5e-3,))}
BASELINES = {name for name in fitting(pairs=False) if METANETS[name].baseline}


def of(found: Scores) -> set[str]:
    return {records.read(path).metanet.name for path in found}


@pytest.fixture(scope="module")
def board(standard, tmp_path_factory) -> Scores:
    """A class scored on an opened zoo, as in the README's three lines; tests must not change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))
        return mz.score(mz.open(standard), Mine, **QUICK)


class Failing(Ridge):
    def fit(self, x, y):
        raise ValueError("no more of this")


def test_a_temporary_folder_stays_where_it_holds_the_result_and_nowhere_else(board, standard, tmp_path, monkeypatch):
    assert board.folder.name.startswith("metazoo-scores-")
    assert len([*board.folder.glob("*/*/*/seed-*.json")]) == 1 + len(BASELINES)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for failing, told in ((Failing(), "no more of this"), ("statn", "unknown metanet")):
        with pytest.raises(ValueError, match=told):
            mz.score(standard, ["mean", failing], baselines=False, seeds=1)
    assert not [*tmp_path.iterdir()]


def test_how_far_it_is_can_be_seen(standard, tmp_path, caplog):
    with caplog.at_level("INFO", logger="metazoo"):
        mz.score(standard, "mean", seeds=1, baselines=False, out=tmp_path)
    assert len([line for line in caplog.messages if "mean: R²" in line]) == 1


def test_a_class_is_scored_beside_the_baselines(board):
    name = f"{Mine.__module__}:Mine"
    assert of(board) == {name}
    assert {label.partition(" (")[0] for label in board.board.cells["metanet"]} == {name, *BASELINES}
    assert board[0].is_relative_to(board.folder)
    assert records.read(board[0]).enforced is False


def test_scores_show_themselves_as_a_table_with_every_metanet(board):
    class Cells(HTMLParser):
        found: tuple[str, ...] = ()

        def handle_data(self, data):
            self.found = (*self.found, data)

    parser = Cells()
    parser.feed(board._repr_html_())
    for name in board.board.cells["metanet"]:
        assert any(cell.startswith(name) for cell in parser.found), name
    assert "test_accuracy of digits-resnet8 nets" in repr(board)
    assert str(board) == repr(board)


@pytest.mark.parametrize("kind", [str, lambda path: path, mz.open])
def test_a_zoo_is_a_text_a_path_or_opened(standard, tmp_path, kind):
    assert of(mz.score(kind(standard), "mean", out=tmp_path, baselines=False, seeds=1)) == {"mean"}


def test_many_zoos_and_many_metanets_of_every_kind(standard, asymmetric, tmp_path):
    given = ["mean", Ridge(alpha=3), ExtraTreesRegressor, metanets.StatNN(), Estimator(Mine)]
    found = mz.score([standard, mz.open(asymmetric)], given, out=tmp_path, baselines=False, **QUICK)
    assert len(found) == 2 * len(given)
    assert {name.split(":")[-1] for name in of(found)} == {"mean", "Ridge", "ExtraTreesRegressor", "statnn", "Mine"}


def test_an_object_is_scored_as_it_is_by_name(standard, tmp_path, board):
    by_name = mz.score(standard, f"{own_class.__file__}:Mine", out=tmp_path, baselines=False, **QUICK)
    ours, theirs = (records.read_predictions(path, records.read(path)) for path in (board[0], by_name[0]))
    np.testing.assert_allclose(ours["prediction"], theirs["prediction"], rtol=1e-6)


def test_two_metanets_of_one_name_need_names(standard, tmp_path):
    two = [Ridge(alpha=1), Ridge(alpha=1e9)]
    with pytest.raises(ValueError, match="give them as a dict"):
        mz.score(standard, two, out=tmp_path, baselines=False, seeds=1)
    found = mz.score(standard, {"weak": two[0], "strong": two[1]}, out=tmp_path, baselines=False, seeds=1)
    assert of(found) == {"own:weak", "own:strong"}


@pytest.mark.parametrize("name", ["", "..", "../../evil", "a/b", "/evil", "v1.2", 1, "a b", "a\nb", "x" * 300])
def test_a_name_that_can_be_no_folder_is_refused_on_one_line(standard, tmp_path, name):
    with pytest.raises(ValueError, match="expected a name that can be a folder's: letters, digits") as told:
        mz.score(standard, {name: Ridge()}, out=tmp_path / "out", baselines=False, seeds=1)
    assert len(str(told.value).splitlines()) == 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 10}, r"epochs is a setting of training: give training=mz.Training\(epochs=10\)"),
        ({"seed": 1}, "unknown option 'seed'; did you mean seeds"),
        ({"own": {}}, "unknown option 'own'"),
    ],
)
def test_an_option_that_there_is_not_says_where_it_belongs_or_the_nearest(standard, given, said):
    with pytest.raises(TypeError, match=said):
        mz.score(standard, "mean", **given)


def test_zoos_have_names_of_their_own(standard):
    with pytest.raises(ValueError, match="give several as a list"):
        _folders({"mine": standard})


def stacked(alpha: float) -> StackingRegressor:
    return StackingRegressor([(f"ridge_of_number_{number}", Ridge(alpha if number == 20 else 1)) for number in range(40)])


@pytest.mark.parametrize(
    "of_setting",
    [
        lambda alpha: Ridge(alpha=alpha),
        lambda alpha: Ridge(alpha=np.r_[np.ones(3000), alpha, np.ones(3000)]),
        stacked,  # whose repr is cut
        lambda alpha: GridSearchCV(Ridge(), {"alpha": [1.0] * 40 + [alpha] + [1.0] * 40}),
    ],
)
def test_every_setting_of_a_regressor_is_a_part_of_its_code(of_setting):
    assert code_of_object(of_setting(2.0)) == code_of_object(of_setting(2.0)) is not None
    assert code_of_object(of_setting(2.0)) != code_of_object(of_setting(3.0))


def test_no_record_is_kept_of_code_that_cannot_be_read(standard, tmp_path):
    mine = METANETS["mean"]
    assert code_of_object(make_pipeline(FunctionTransformer(lambda x: x), Ridge())) is code_of_object(mine) is None
    mz.score(standard, {"mine": mine}, out=tmp_path, baselines=False, seeds=1)
    with pytest.raises(FileExistsError, match="with code of own:mine that cannot be read"):
        mz.score(standard, {"mine": mine}, out=tmp_path, baselines=False, seeds=1)


def test_what_is_no_metanet_says_what_may_be(standard, tmp_path):
    with pytest.raises(ValueError, match=r"is a Mine; expected a metanets.Metanet, a torch.nn.Module class or a regressor"):
        mz.score(standard, Mine(3), out=tmp_path)
    with pytest.raises(ValueError, match="unknown metanet 'statn'; did you mean statnn"):
        mz.score(standard, "statn", out=tmp_path)
    with pytest.raises(ValueError, match="there is no metanet to score"):
        mz.score(standard, [], out=tmp_path)
    with pytest.raises(ValueError, match="there is no zoo to score on"):
        mz.score([], "mean", out=tmp_path)
    with pytest.raises(ValueError, match="statnn is an Estimator with settings of its own"):
        mz.score(standard, metanets.StatNN(training=Training(epochs=2)), out=tmp_path)
