import dataclasses
import json
from functools import partial

import numpy as np
import pytest
import torch
from conftest import ROOT, small
from imported_zoo import foreign
from typer.testing import CliRunner

import zoo
from benchmark.analyses.certificates import EXACT, Change, keep, kept, read
from benchmark.analyses.symmetry import symmetry
from benchmark.analyses.worst_case import worst_case
from benchmark.cli.main import app
from benchmark.leaderboard.latex_csv import to_latex
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.records import records
from benchmark.records.records import Code
from benchmark.scoring.score import score
from benchmark.scoring.task import reference
from metanets import METANETS, Examples, Training
from metanets.fit import predict
from metanets.metanet import Fitted
from zoo.importers.source_zoo import write as write_zoo
from zoo.seeds import stream
from zoo.symmetry import Group, act, draw, group_of

QUICK = Training(epochs=3, batch=8, learning_rates=(1e-3,))
KINDS = ("permutation", "scaling")


@pytest.fixture(scope="module")
def report(standard):
    """All metanets but DMC, for which the small zoo's nets are too short."""
    names = ["mlp", "deepsets", "statnn", "ridge", "mean", "trees_hyper_parameters", "statnn+canonical"]
    return {row.metanet: row for row in symmetry(standard, names, training=QUICK, draws=2)}


def predicted_by(metanet, fitted, nets):
    return fitted.predict(metanet.features(nets))


@pytest.mark.parametrize("metanet", ["statnn", "deepsets"])
def test_metanets_on_sets_are_blind_to_permutations_and_not_to_scalings(report, metanet):
    changes = report[metanet].changes
    assert changes["permutation"].largest < 1e-9
    assert changes["permutation"].share == 0
    assert changes["scaling"].relative > 0.01
    assert changes["scaling"].share > 0.9


@pytest.mark.parametrize("metanet", ["mlp", "ridge"])
def test_metanets_on_flat_weights_are_blind_to_neither(report, metanet):
    assert all(report[metanet].changes[kind].relative > 0.01 for kind in KINDS)


@pytest.mark.parametrize("metanet", ["mean", "trees_hyper_parameters"])
def test_baselines_that_read_no_weights_never_move(report, metanet):
    changes = report[metanet].changes
    assert {(change.mean, change.share, change.largest) for change in changes.values()} == {(0, 0, 0)}
    assert report[metanet].worst_r2 == report[metanet].moved_r2 == report[metanet].r2
    assert report["mean"].changes["permutation"].relative is None


def test_changes_are_in_the_targets_units_and_relative_ones_scale_free(report):
    for metanet in ("mlp", "ridge"):
        scaling, permutation = (report[metanet].changes[kind] for kind in ("scaling", "permutation"))
        assert scaling.mean / scaling.relative == pytest.approx(permutation.mean / permutation.relative)
    assert max(row.r2 for row in report.values()) <= 1


def test_the_largest_change_and_the_share_are_those_of_a_plain_loop(standard):
    made, metanet = zoo.open(standard), METANETS["ridge"]
    train, validation = (made.nets(split, inputs="all") for split in ("train", "validation"))
    true, group = made.columns["test_accuracy"].to_numpy(np.float64), group_of(made.blueprint)
    known, held = (Examples(metanet.features(nets), true[nets.index], nets.layout) for nets in (train, validation))
    fitted, far = metanet.fit(known, held, training=QUICK, seed=0), []
    for number in range(2):
        element = draw(group.only(("scale",)), len(validation), stream(0, "symmetry", "scaling", number))
        moved = act(validation.weights.double(), validation.layout, element)
        far += list(np.abs(fitted.predict(moved) - fitted.predict(validation.weights.double())) / held.target.std())
    (row,) = symmetry(standard, ["ridge"], draws=2)
    assert row.changes["scaling"].largest == pytest.approx(max(far))
    assert row.changes["scaling"].share == np.mean([one > EXACT for one in far])


def test_what_reads_no_weights_or_canonical_nets_is_exact_and_what_reads_others_is_not(report):
    assert {name for name, row in report.items() if row.exact} == {"mean", "trees_hyper_parameters", "statnn+canonical"}
    canonical = report["statnn+canonical"]
    assert canonical.changes["scaling"].largest < 1e-9  # in float64 up to the prediction, else 1e-6
    assert canonical.changes["worst"].largest < 1e-9
    assert canonical.moved_r2 == pytest.approx(canonical.r2, abs=1e-3)


def test_the_worst_case_is_worse_than_random_moves_and_found_by_the_gradient(standard, report):
    assert all(row.worst_r2 <= row.r2 for row in report.values())
    assert sum(row.worst_r2 < row.r2 - 1e-9 for row in report.values()) == 4
    made = zoo.open(standard)
    train, validation = (made.nets(split, inputs="all") for split in ("train", "validation"))
    true, group = made.columns["test_accuracy"].to_numpy(np.float64), group_of(made.blueprint)
    for name in ("statnn", "mlp"):
        metanet = METANETS[name]
        known, held = (Examples(metanet.features(nets), true[nets.index], nets.layout) for nets in (train, validation))
        fitted = metanet.fit(known, held, training=QUICK, seed=0)
        predicted = partial(predicted_by, metanet, fitted)
        by_gradient, by_chance = (
            np.abs(worst_case(module, metanet, predicted, validation, held.target, group, seed=0) - held.target)
            for module in (fitted.module, None)
        )
        unmoved = np.abs(fitted.predict(held.features) - held.target)
        assert (by_gradient >= unmoved - 1e-12).all()
        assert (by_gradient - unmoved).mean() > 1.3 * (by_chance - unmoved).mean() > 0


def test_gradients_that_are_no_numbers_are_not_followed(standard):
    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, vectors):
            return self.weight * vectors.mean(dim=1) + (vectors - vectors).var(dim=1).sqrt()  # 0, with a gradient of NaN

    made, metanet, module = zoo.open(standard), METANETS["mlp"], Broken()
    nets, group = made.nets("validation", inputs="all"), group_of(made.blueprint)
    true = made.columns["test_accuracy"].to_numpy(np.float64)[nets.index]
    fitted = Fitted(lambda features: predict(module, features), 1, module=module)
    predicted = partial(predicted_by, metanet, fitted)
    found, drawn = (worst_case(one, metanet, predicted, nets, true, group, seed=0) for one in (module, None))
    np.testing.assert_array_equal(found, drawn)


def test_a_group_without_scales_has_no_worst_case(standard):
    made = zoo.open(standard)
    nets, metanet = made.nets("validation", inputs="all"), METANETS["ridge"]
    examples = Examples(metanet.features(nets), made.columns["test_accuracy"].to_numpy(np.float64)[nets.index], nets.layout)
    fitted = metanet.fit(examples, examples, training=QUICK, seed=0)
    nothing, predicted = Group({}, {}, {}, ()), partial(predicted_by, metanet, fitted)
    found = worst_case(None, metanet, predicted, nets, examples.target, nothing, seed=0)
    assert np.array_equal(found, fitted.predict(examples.features))


def test_the_seed_decides_the_report(standard):
    (one,), (same,), (other,) = (symmetry(standard, ["ridge"], seed=seed, draws=1) for seed in (1, 1, 2))
    assert one == same
    assert one.r2 == other.r2
    assert one.changes["permutation"] != other.changes["permutation"]


def test_asymmetric_nets_have_no_symmetries_and_the_report_says_so(asymmetric):
    with pytest.raises(ValueError, match="w_asymmetric nets have none of these symmetries"):
        symmetry(asymmetric, ["statnn"])


def test_nets_of_which_sizes_alone_are_free_are_moved_by_these(tmp_path):
    gated = zoo.build(small("sigma_asymmetric", recipe__epochs=(1, 1)), tmp_path / "gated", workers=2)
    (row,) = symmetry(gated, ["ridge"])
    assert set(row.changes) == {"size", "together"}
    assert row.changes["size"].share > 0.9
    assert (row.worst_r2, row.exact) == (None, None)
    assert row.moved_r2 < row.r2


@pytest.mark.parametrize(
    ("metanet", "target", "found"),
    [("stat", "test_accuracy", "did you mean statnn"), ("mlp", "test_acuracy", "did you mean test_accuracy")],
)
def test_unknown_names_bring_the_nearest(standard, metanet, target, found):
    with pytest.raises(ValueError, match=found):
        symmetry(standard, [metanet], target=target)


def test_imported_nets_whose_symmetries_are_not_known_have_no_report(tmp_path):
    write_zoo(foreign(64), tmp_path / "theirs")
    with pytest.raises(ValueError, match="symmetries of these nets are not known"):
        symmetry(tmp_path / "theirs", ["statnn"])


def test_the_verb_prints_the_report(standard):
    command = ["symmetry", str(standard), "--metanet", "ridge", "--metanet", "mean", "--seed", "3"]
    table, rows = (CliRunner().invoke(app, [*command, *more]) for more in ([], ["--json"]))
    assert (table.exit_code, rows.exit_code) == (0, 0), (table.exception, rows.exception)
    found = json.loads(rows.stdout)
    assert [row["metanet"] for row in found] == ["ridge", "mean"]
    (row,) = symmetry(standard, ["ridge"], seed=3)
    assert found[0]["changes"]["permutation"]["mean"] == pytest.approx(row.changes["permutation"].mean)
    assert f"{row.changes['worst'].relative:.2g}" in table.output
    assert f"{found[0]['moved_r2']:.3f}" in table.output
    assert "nan" not in table.output


def test_a_kept_report_is_read_again_and_a_damaged_one_refused(report, standard, tmp_path):
    path = keep(tmp_path, reference(zoo.open(standard)), "test_accuracy", [*report.values()])
    assert read(path).zoo.manifest_sha256 == zoo.open(standard).manifest_sha256
    assert read(path).rows == [*report.values()]
    value = json.loads(path.read_text())
    first = value["rows"][0]
    scaling = first["changes"]["scaling"]
    for broken, found in (
        ({**value, "rows": [{**first, "changes": {"scaling": {**scaling, "mean": -1.0}}}]}, "rows.0.changes.scaling.mean"),
        ({**value, "rows": [{**first, "changes": {"shrinking": scaling}}]}, "rows.0.changes.shrinking"),
        ({**value, "extra": 1}, "extra"),
        ({**value, "rows": []}, "rows"),
        ({**value, "rows": [{**first, "exact": not first["exact"]}]}, "rows.0.*exact is true"),
        ({**value, "rows": [{**first, "changes": {}, "exact": True}]}, "rows.0.*exact is true"),
        ({**value, "schema": "metazoo-symmetry-9"}, "schema"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=found):
            read(path)
    assert [*kept(tmp_path).reports] == []
    assert "schema" in kept(tmp_path).unread[0]


def test_reports_of_both_versions_before_are_read(report, standard, tmp_path):
    path = keep(tmp_path, reference(zoo.open(standard)), "test_accuracy", [*report.values()])
    row = {"metanet": "statnn", "r2": 0.5, "permutation": 0.0, "permutation_relative": None, "scaling": 0.25}
    row |= {"scaling_relative": 0.75}
    command = {"command": "metazoo symmetry"}
    later = {"worst": 0.5, "worst_relative": 1.5, "worst_r2": -1.0, "moved_r2": 0.25, "exact": False, "size": None}
    for version, told in ((1, row), (2, row | later)):
        old = {**json.loads(path.read_text()), "schema": f"metazoo-symmetry-{version}", "rows": [told]} | command
        path.write_text(json.dumps(old))
        (found,) = read(path).rows
        assert found.changes["scaling"] == Change(0.25, 0.75)
        assert found.changes["permutation"] == Change(0.0, None)
        assert ("worst" in found.changes, found.exact) == ((False, None), (True, False))[version - 1]
        assert found.command == "metazoo symmetry"


def test_a_certificate_stands_on_the_board_beside_records_of_the_same_training_and_others_stay(standard, tmp_path):
    own, called = f"{ROOT / 'tests/scoring/own_metanets.py'}:Vector", "own_metanets:Vector"
    paths = score([standard], ["statnn", "ridge", own], "test_accuracy", out=tmp_path, seeds=1, training=QUICK)
    zoo_told = reference(zoo.open(standard))
    for training, names in ((QUICK, ["statnn"]), (Training(epochs=2, batch=8), [own]), (Training(), ["ridge"])):
        keep(tmp_path, zoo_told, "test_accuracy", symmetry(standard, names, training=training, draws=1))
    (report,) = kept(tmp_path).reports
    assert [row.metanet for row in report.rows] == ["statnn", called, "ridge"]
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert cells["exact"][["statnn", "ridge"]].tolist() == ["no", "no"]
    assert "R² moved" in to_latex(leaderboard(tmp_path).cells).replace("$^2$", "²")
    assert all(to_latex(leaderboard(tmp_path).cells).count(f" & {text} ") >= 2 for text in ("no", "--"))
    (other,) = [name for name in cells.index if name.startswith(called)]
    assert cells.loc[other, "exact"] == ""  # it was trained otherwise
    (record,) = [record for record in map(records.read, paths) if record.metanet.name == "statnn"]
    for changed in ({"version": 2}, {"code": Code("x.py", "0" * 64)}, {"name": "dmc"}):
        metanet = dataclasses.replace(record.metanet, **changed)
        assert kept(tmp_path).of(dataclasses.replace(record, metanet=metanet)) is None
    assert [kept(tmp_path).of(dataclasses.replace(record, augment=how)) is None for how in ([], ["scale"])] == [False, True]
