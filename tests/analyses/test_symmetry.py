import dataclasses
import json

import numpy as np
import pytest
from conftest import small
from imported_zoo import foreign
from typer.testing import CliRunner

import zoo
from benchmark.analyses.symmetry import keep, read, symmetry
from benchmark.analyses.worst_case import worst_case
from benchmark.cli.main import app
from metanets import METANETS, Examples, Training
from zoo.importers.source_zoo import write as write_zoo
from zoo.symmetry import Group, group_of

QUICK = Training(epochs=3, batch=8, learning_rates=(1e-3,))
KINDS = ("permutation", "scaling")


@pytest.fixture(scope="module")
def report(standard):
    """All metanets but DMC, for which the small zoo's nets are too short."""
    names = ["mlp", "deepsets", "statnn", "ridge", "mean", "trees_hyper_parameters"]
    return symmetry(standard, names, training=QUICK, draws=2).set_index("metanet")


@pytest.mark.parametrize("metanet", ["statnn", "deepsets"])
def test_metanets_on_sets_are_blind_to_permutations_and_not_to_scalings(report, metanet):
    assert report.loc[metanet, "permutation"] < 1e-6
    assert report.loc[metanet, "permutation_relative"] < 1e-4
    assert report.loc[metanet, "scaling_relative"] > 0.01


@pytest.mark.parametrize("metanet", ["mlp", "ridge"])
def test_metanets_on_flat_weights_are_blind_to_neither(report, metanet):
    assert all(report.loc[metanet, f"{kind}_relative"] > 0.01 for kind in KINDS)


@pytest.mark.parametrize("metanet", ["mean", "trees_hyper_parameters"])
def test_baselines_that_read_no_weights_never_move(report, metanet):
    assert all(report.loc[metanet, kind] == 0 for kind in KINDS)
    assert np.isnan(report.loc["mean", "permutation_relative"])


def test_changes_are_in_the_targets_units_and_relative_ones_scale_free(report):
    for metanet in ("mlp", "ridge"):
        row = report.loc[metanet]
        assert row["scaling"] / row["scaling_relative"] == pytest.approx(row["permutation"] / row["permutation_relative"])
    assert report["r2"].max() <= 1


def test_what_reads_no_weights_is_exact_and_what_reads_them_is_not(report):
    assert report["exact"].to_dict() == {
        "mlp": False,
        "deepsets": False,
        "statnn": False,
        "ridge": False,
        "mean": True,
        "trees_hyper_parameters": True,
    }
    blind = report.loc[["mean", "trees_hyper_parameters"]]
    assert (blind[["size", "together", "worst"]] == 0).all(axis=None)
    assert (blind["worst_r2"] == blind["r2"]).all()


def test_the_worst_case_is_worse_than_random_moves_and_found_by_the_gradient(standard, report):
    assert (report["worst_r2"] <= report["r2"]).all()
    assert (report["worst_r2"] < report["r2"]).sum() == 4
    made = zoo.open(standard)
    train, validation = (made.nets(split, inputs="all") for split in ("train", "validation"))
    true, group = made.columns["test_accuracy"].to_numpy(np.float64), group_of(made.blueprint)
    for name in ("statnn", "mlp"):
        metanet = METANETS[name]
        known, held = (Examples(metanet.features(nets), true[nets.index], nets.layout) for nets in (train, validation))
        fitted = metanet.fit(known, held, training=QUICK, seed=0)
        by_gradient, by_chance = (
            np.abs(worst_case(one, metanet, validation, held.target, group, seed=0) - held.target)
            for one in (fitted, dataclasses.replace(fitted, module=None))
        )
        unmoved = np.abs(fitted.predict(held.features) - held.target)
        assert (by_gradient >= unmoved - 1e-12).all()
        assert (by_gradient - unmoved).mean() > 1.3 * (by_chance - unmoved).mean() > 0


def test_a_group_without_scales_has_no_worst_case(standard):
    made = zoo.open(standard)
    nets, metanet = made.nets("validation", inputs="all"), METANETS["ridge"]
    examples = Examples(metanet.features(nets), made.columns["test_accuracy"].to_numpy(np.float64)[nets.index], nets.layout)
    fitted = metanet.fit(examples, examples, training=QUICK, seed=0)
    found = worst_case(fitted, metanet, nets, examples.target, Group({}, {}, {}, ()), seed=0)
    assert np.array_equal(found, fitted.predict(examples.features))


def test_the_seed_decides_the_report(standard):
    one, same, other = (symmetry(standard, ["ridge"], seed=seed, draws=1) for seed in (1, 1, 2))
    assert one.equals(same)
    assert one["r2"][0] == other["r2"][0]
    assert one["permutation"][0] != other["permutation"][0]


def test_asymmetric_nets_have_no_symmetries_and_the_report_says_so(asymmetric, tmp_path):
    gated = zoo.build(small("sigma_asymmetric", recipe__epochs=(1, 1)), tmp_path / "gated", workers=2)
    for folder, family in ((asymmetric, "w_asymmetric"), (gated, "sigma_asymmetric")):
        with pytest.raises(ValueError, match=f"{family} nets have none of these symmetries"):
            symmetry(folder, ["statnn"])


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
    found = json.loads(rows.output)
    assert [row["metanet"] for row in found] == ["ridge", "mean"]
    assert found[0]["permutation"] == pytest.approx(symmetry(standard, ["ridge"], seed=3)["permutation"][0])
    assert f"{found[0]['worst_relative']:.2g}" in table.output
    assert f"{found[0]['moved_r2']:.3f}" in table.output
    assert "nan" not in table.output


def test_a_kept_report_is_read_again_and_a_damaged_one_refused(report, standard, tmp_path):
    path = keep(tmp_path, standard, "test_accuracy", report.reset_index(), "metazoo symmetry")
    kept = read(path)
    assert kept.zoo.manifest_sha256 == zoo.open(standard).manifest_sha256
    assert [row.metanet for row in kept.rows] == list(report.index)
    assert [row.scaling for row in kept.rows] == list(report["scaling"])
    value = json.loads(path.read_text())
    for broken, found in (
        ({**value, "rows": [{**value["rows"][0], "scaling": -1.0}]}, "rows.0.scaling"),
        ({**value, "extra": 1}, "extra"),
        ({**value, "schema": "metazoo-symmetry-9"}, "schema"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=found):
            read(path)
