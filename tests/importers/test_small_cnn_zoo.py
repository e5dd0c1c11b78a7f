"""The importer of the Small CNN Zoo, on synthetic sources in its exact format (see synthetic_small_cnn)."""

import random
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_small_cnn as synthetic
import torch
import torch.nn.functional as F
from attacks import Malicious
from synthetic_small_cnn import LAYOUT, STEPS, metrics, weights, write

import zoo
from benchmark.records import records
from benchmark.scoring.job import Job, run
from benchmark.scoring.readable import unreadable
from metanets import Training
from metanets.table import METANETS
from zoo.importers import source_zoo
from zoo.importers.import_zoo import import_zoo
from zoo.importers.small_cnn_zoo.importer import small_cnn_zoo
from zoo.importers.small_cnn_zoo.metrics import MEASURED
from zoo.importers.small_cnn_zoo.split import NFN
from zoo.nets.layout import total, views
from zoo.untrusted.files import sha256

QUICK = Training(epochs=1, batch=8, learning_rates=(1e-3,))
CONFIGS = ("activation", "b_init", "dropout", "epochs", "init_std", "l2reg", "learning_rate", "optimizer")
NAMED = {f"config.{name}": name for name in (*CONFIGS, "train_fraction", "w_init")}


def imported(source, folder, **options):
    """The source in our format."""
    folder.mkdir()
    source_zoo.write(small_cnn_zoo(source, **options), folder)
    return zoo.open(folder)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """48 runs of 9 checkpoints each; tests must not change it."""
    return write(tmp_path_factory.mktemp("source") / "cifar10", metrics(48))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """4 runs, for what is refused; tests must not change it."""
    return write(tmp_path_factory.mktemp("tiny") / "cifar10", metrics(4))


def copied(source, folder):
    return shutil.copytree(source, folder / "copied")


def rewritten(source, folder, frame, numbers=None):
    """The source with other metrics, and these rows of its weights."""
    there = copied(source, folder)
    frame.to_csv(there / "metrics.csv.gz", index=False)
    if numbers is not None:
        np.save(there / "weights.npy", np.load(source / "weights.npy")[numbers])
    return there


def test_an_imported_net_computes_what_the_sources_computes(source, tmp_path):
    made, stored = imported(source, tmp_path / "zoo"), np.load(source / "weights.npy")
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 1))
    for index in range(0, len(made), 5):
        net = {name: tensor.double() for name, tensor in made.net(index).items()}
        row = stored[made.columns["row"][index]]
        for name, act in (("relu", torch.relu), ("tanh", torch.tanh)):
            x = torch.from_numpy(images).permute(0, 3, 1, 2)
            for layer in ("conv1", "conv2", "conv3"):
                x = act(F.conv2d(x, net[f"{layer}.weight"], net[f"{layer}.bias"], stride=2))
            found = F.linear(x.mean(dim=(2, 3)), net["linear.weight"], net["linear.bias"]).numpy()
            np.testing.assert_allclose(found, synthetic.run(row, images, name), rtol=1e-9, atol=1e-12)


def test_the_published_nets_have_4970_weights_in_eight_tensors(source, tmp_path):
    made = imported(source, tmp_path / "zoo")
    assert total(made.layout) == 4970
    assert {entry.name: entry.shape for entry in made.layout} == {
        "conv1.weight": (16, 1, 3, 3),
        "conv1.bias": (16,),
        "conv2.weight": (16, 16, 3, 3),
        "conv2.bias": (16,),
        "conv3.weight": (16, 16, 3, 3),
        "conv3.bias": (16,),
        "linear.weight": (10, 16),
        "linear.bias": (10,),
    }
    assert [entry.role for entry in made.layout] == ["conv", "bias"] * 3 + ["linear", "bias"]
    assert not any("4970" in note for note in made.spec.provenance.notes)


def test_a_net_is_its_runs_last_row_with_all_that_is_known_of_it(source, tmp_path):
    made, frame = imported(source, tmp_path / "zoo"), pd.read_csv(source / "metrics.csv.gz")
    assert len(made) == 48
    assert (made.columns["step"] == 86).all()
    assert list(made.columns["modeldir"]) == sorted(set(frame["modeldir"].astype(str)))
    assert list(made.columns["lineage"]) == list(range(48))
    there = frame.iloc[made.columns["row"]].reset_index(drop=True)
    assert (there["step"] == 86).all()
    assert (there["modeldir"] == made.columns["modeldir"].astype(str)).all()
    for column, name in {**NAMED, **{name: name for name in MEASURED}}.items():
        found = made.columns[name]
        if name in made.spec.text:
            assert list(found.astype(str)) == list(there[column])
        else:
            np.testing.assert_allclose(found, there[column], rtol=1e-6)
    gap = there["train_accuracy"] - there["test_accuracy"]
    np.testing.assert_allclose(made.columns["generalisation_gap"], gap, atol=1e-6)
    assert made.spec.image_task == "cifar10"
    assert set(made.hyper_parameters) == set(NAMED.values())
    assert set(made.spec.provenance.files) == {"weights.npy", "metrics.csv.gz", "layout.csv"}
    assert made.spec.provenance.files["layout.csv"] == sha256(source / "layout.csv")


def test_every_checkpoint_of_the_trajectory_is_its_row_of_the_source(source, tmp_path):
    """Rows stand in any order, a run lacks a checkpoint, and another one its last."""
    frame = pd.read_csv(source / "metrics.csv.gz")
    lacks_one, lacks_last = frame["modeldir"].unique()[[3, 5]]
    gone = ((frame["modeldir"] == lacks_one) & (frame["step"] == 20)) | (
        (frame["modeldir"] == lacks_last) & (frame["step"] == 86)
    )
    numbers = np.random.default_rng(0).permutation(np.flatnonzero(~gone))
    frame = frame.iloc[numbers].reset_index(drop=True)
    there = rewritten(source, tmp_path, frame, numbers)
    stored, places = np.load(there / "weights.npy"), frame.reset_index().set_index(["modeldir", "step"])["index"]
    for wanted, steps in (("all", STEPS), ("0,86,3", (0, 3, 86))):
        made = imported(there, tmp_path / wanted, trajectory=wanted)
        assert made.spec.trajectory == steps
        assert list(made.columns["lineage"]) == [number for number in range(48) if number != 5]
        notes = " ".join(made.spec.provenance.notes)
        assert "1 of 48 runs have no step 86 and are left out" in notes
        assert ("1 of 423 checkpoints are missing" in notes) == (wanted == "all")
        for split in ("train", "validation", "test"):
            nets = made.columns[made.columns["split"] == split]
            found, curves = np.concatenate(made.trajectories(split)), made.curves(split)
            weights_of = np.concatenate(made.arrays(split))
            assert set(curves) == {*MEASURED, "generalisation_gap"}
            for i, name in enumerate(nets["modeldir"]):
                assert (weights_of[i] == turned(stored[places[name, 86]])).all()
                for j, step in enumerate(steps):
                    if (name, step) not in places:
                        assert (name, step) == (lacks_one, 20)
                        assert np.isnan(found[i, j]).all()
                        assert np.isnan(curves["test_loss"][i, j])
                        continue
                    row = places[name, step]
                    assert (found[i, j] == turned(stored[row])).all()
                    assert curves["test_loss"][i, j] == np.float32(frame["test_loss"][row])


def turned(row):
    """A row of the source as our vector, tensor by tensor: the slow way."""
    parts = []
    for line in LAYOUT.splitlines()[2::2]:
        _, start, end, shape = line.replace('"', "").split(",", 3)
        shape = tuple(int(part) for part in shape.strip("()").split(","))
        kernel = torch.from_numpy(row[int(start) : int(end)]).reshape(shape)
        kernel = kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        parts += [kernel.reshape(-1), torch.from_numpy(row[int(start) - shape[-1] : int(start)])]
    return torch.cat(parts).numpy()


def test_no_trajectory_is_read_unless_asked_for(source):
    found = small_cnn_zoo(source)
    assert (found.trajectory, found.curves, found.about.trajectory) == (None, {}, ())
    assert "48 of 432 rows of 48 runs are imported, the weights of nets from step 86" in found.about.provenance.notes


def test_another_step_gives_the_nets_of_that_step(source):
    found, stored = small_cnn_zoo(source, step="20"), np.load(source / "weights.npy")
    assert (found.columns["step"] == 20).all()
    assert (found.weights(np.array([7, 3])) == [turned(stored[row]) for row in found.columns["row"][[7, 3]]]).all()
    with pytest.raises(ValueError, match=r"no run has step 18; there are steps 0, 1, 2, 20, 3"):
        small_cnn_zoo(source, step="18")


def test_the_split_of_a_run_depends_on_nothing_but_its_name(source, tmp_path):
    frame = pd.read_csv(source / "metrics.csv.gz")
    some = np.flatnonzero(frame["modeldir"].isin(frame["modeldir"].unique()[::2]))[::-1]
    part = small_cnn_zoo(rewritten(source, tmp_path, frame.iloc[some], some)).columns.set_index("modeldir")["split"]
    whole = small_cnn_zoo(source, step="3").columns.set_index("modeldir")["split"]
    assert len(part) == 24
    assert (whole[part.index] == part).all()
    assert set(whole) == {"train", "validation", "test"}


def loaded(frame, order_file):
    """The rows in each split as the published loader makes them, which reads the header line 0 as a row as well."""
    shuffled = pd.read_csv(order_file, header=None).values.flatten()
    frame = frame.assign(row=np.arange(len(frame))).iloc[shuffled]
    final = list(frame[frame["step"] == 86]["row"])
    point = int(0.5 * len(final))
    first = list(range(point))
    random.Random(0).shuffle(first)
    cut = int(0.8 * len(first))
    return {
        "train": [final[i] for i in first[:cut]],
        "validation": [final[i] for i in first[cut:]],
        "test": final[point:],
    }


def split_file(folder, numbers):
    path = folder / "cifar10_split.csv"
    pd.DataFrame(numbers).to_csv(path, index=False)
    assert path.read_text().startswith("0\n")
    return path


def test_the_published_split_is_that_of_its_loader(source, tmp_path):
    path = split_file(tmp_path, np.random.default_rng(1).permutation(432))
    found = small_cnn_zoo(source, split=NFN, split_file=str(path))
    expected = loaded(pd.read_csv(source / "metrics.csv.gz"), path)
    assert {split: len(numbers) for split, numbers in expected.items()} == {"train": 19, "validation": 5, "test": 24}
    for split, numbers in expected.items():
        assert sorted(found.columns["row"][found.columns["split"] == split]) == sorted(numbers)
    assert found.about.split == NFN
    assert not any("row 0" in note for note in found.about.provenance.notes)
    assert found.about.provenance.files["cifar10_split.csv"] == sha256(path)


@pytest.mark.parametrize("seed", range(4))
def test_where_row_0_is_a_net_the_published_split_still_is_that_of_its_loader(source, tmp_path, seed):
    """The loader then has this net twice; here it is once, in the test split if it is there."""
    frame = pd.read_csv(source / "metrics.csv.gz")[::-1]
    there = rewritten(source, tmp_path, frame, np.arange(432)[::-1])
    path = split_file(tmp_path, np.random.default_rng(seed).permutation(432))
    found = small_cnn_zoo(there, split=NFN, split_file=str(path))
    assert any("row 0 is a net" in note for note in found.about.provenance.notes)
    expected = loaded(frame, path)
    assert sum(map(len, expected.values())) == 49
    for split, numbers in expected.items():
        twice = {0} if split != "test" and 0 in expected["test"] else set()
        assert set(found.columns["row"][found.columns["split"] == split]) == set(numbers) - twice


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0\n" + "\n".join(map(str, [*range(35), 5])), "names row 5 twice"),
        ("0\n" + "\n".join(map(str, range(35))), "lacks row 35; expected each of 36 rows once, found 35"),
        ("0\n" + "\n".join(map(str, [*range(35), 36])), "names row 36, but the zoo has 36 rows"),
        ("0\n" + "\n".join(map(str, [*range(35), -1])), "0 is -1 in line 37, expected a whole number"),
        ("0\n" + "\n".join(map(str, [*range(35), "x"])), "column 0, line 37: 'x' is neither a number"),
        ("\n".join(map(str, range(1, 36))), "expected the one column 0, found 1"),
        ("", "cifar10_split.csv"),
    ],
)
def test_a_split_file_that_is_no_permutation_is_refused_with_the_first_wrong_row(tiny, tmp_path, text, found):
    path = tmp_path / "cifar10_split.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=found):
        small_cnn_zoo(tiny, split=NFN, split_file=str(path))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"step": "last"}, "step='last': expected a whole number"),
        ({"step": "-1"}, "step='-1'"),
        ({"trajectory": "0,x"}, "trajectory='x'"),
        ({"trajectory": "0,7"}, "no run has step 7; there are steps 0, 1, 2, 20"),
        ({"split": "nfn"}, "unknown split 'nfn'.*lineage, unterthiner/nfn-v1"),
        ({"split": NFN}, "split_file=PATH"),
        ({"split_file": "x.csv"}, "give both or none"),
        ({"split": NFN, "split_file": "x.csv", "step": "20"}, "nets of step 86, not 20"),
    ],
)
def test_options_that_mean_nothing_are_refused(tiny, options, found):
    with pytest.raises(ValueError, match=found):
        small_cnn_zoo(tiny, **options)


def test_more_checkpoints_than_a_shard_should_hold_are_refused(source, tmp_path):
    frame = pd.read_csv(source / "metrics.csv.gz")
    frame.loc[frame["step"] != 86, "step"] += np.arange((frame["step"] != 86).sum()) * 100
    with pytest.raises(ValueError, match="385 checkpoints a net, at most 100; name those wanted"):
        small_cnn_zoo(rewritten(source, tmp_path, frame), trajectory="all")


def test_diverged_nets_are_kept_and_flagged(source, tmp_path):
    there, frame = copied(source, tmp_path), pd.read_csv(source / "metrics.csv.gz")
    stored = np.load(there / "weights.npy")
    bad = np.flatnonzero(frame["step"] == 86)[[4, 9]]
    stored[bad[0], 17], stored[bad[1], 4969] = np.nan, np.inf
    np.save(there / "weights.npy", stored)
    frame.loc[bad[0], ["test_loss", "train_loss"]] = np.nan
    frame.to_csv(there / "metrics.csv.gz", index=False)
    columns = imported(there, tmp_path / "zoo").columns
    assert len(columns) == 48
    assert set(columns["row"][columns["diverged"]]) == set(bad)
    for target in ("test_loss", "test_accuracy"):
        assert set(columns["row"][columns[target].isna()]) == set(bad)


def test_a_repeated_checkpoint_is_left_out_and_counted(source, tmp_path):
    frame = pd.read_csv(source / "metrics.csv.gz")
    numbers = [*range(432), 8]
    frame = frame.iloc[numbers]
    found = small_cnn_zoo(rewritten(source, tmp_path, frame, numbers))
    assert "1 rows repeat the run and step of an earlier row and are left out" in found.about.provenance.notes
    assert 432 not in set(found.columns["row"])
    assert len(found.columns) == 48


def test_older_names_other_numbers_and_further_columns_are_read_and_noted(source, tmp_path):
    plain, there = imported(source, tmp_path / "plain"), copied(source, tmp_path)
    stored = np.load(there / "weights.npy").astype(">f8")
    stored[8, 0] = 1e300
    np.save(there / "all_weights.npy", stored)
    pd.read_csv(source / "metrics.csv.gz").to_csv(there / "all_metrics.csv", index_label="checkpoint")
    (there / "weights.npy").unlink()
    (there / "metrics.csv.gz").unlink()
    made = imported(there, tmp_path / "zoo")
    assert "weights are rounded from float64 to float32" in made.spec.provenance.notes
    (note,) = (note for note in made.spec.provenance.notes if note.startswith("columns left out"))
    assert all(name in note for name in ("checkpoint", "config.random_seed", "config.num_units"))
    assert list(made.columns["row"][made.columns["diverged"]]) == [8]
    for split in ("train", "validation", "test"):
        wanted, found = (np.concatenate(zoo_.arrays(split)) for zoo_ in (plain, made))
        same = (wanted == found) | np.isinf(found)
        assert same.all()


def test_nets_of_another_size_are_read_and_noted(source, tmp_path):
    frame = metrics(12)
    layout = 'varname,start_idx,end_idx,shape\nd/kernel:0,4,16,"(3, 4)"\nd/bias:0,0,4,"(4,)"\n'
    layout += 'e/bias:0,16,18,"(2,)"\ne/kernel:0,18,26,"(4,2)"\n'
    there = write(tmp_path / "small", frame, weights(frame, 26).astype(np.float16), layout=layout)
    made = imported(there, tmp_path / "zoo")
    assert [entry.name for entry in made.layout] == ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
    assert "nets of 26 weights, not of 4970 as the published ones" in made.spec.provenance.notes
    assert made.spec.dtype == "float16"
    row = np.load(there / "weights.npy")[made.columns["row"][3]].astype(np.float32)
    net = made.net(3)
    assert (net["linear1.weight"].numpy() == row[4:16].reshape(3, 4).T).all()
    assert (net["linear2.weight"].numpy() == row[18:26].reshape(4, 2).T).all()
    assert (net["linear2.bias"].numpy() == row[16:18]).all()


def test_svhn_has_our_name(tiny, tmp_path):
    frame = pd.read_csv(tiny / "metrics.csv.gz").assign(**{"config.dataset": "svhn_cropped"})
    about = small_cnn_zoo(rewritten(tiny, tmp_path, frame)).about
    assert (about.name, about.image_task) == ("small-cnn-zoo-svhn_cropped", "svhn")


CHANGES = [  # (column, row or all rows, value, what the error says)
    ("test_accuracy", 7, 83.0, "test_accuracy is 83 in line 9, expected a share"),
    ("train_accuracy", 7, -0.5, "train_accuracy is -0.5 in line 9"),
    ("test_loss", 9, "high", "column test_loss, line 11: .high. is neither a number"),
    ("step", 3, 1.5, "step is 1.5 in line 5, expected a whole number"),
    ("step", 3, None, "step is nan in line 5"),
    ("modeldir", 5, "", "modeldir is '' in line 7"),
    ("config.activation", 5, "re\x07lu", "config.activation is .* in line 7"),
    ("config.dataset", slice(0, 20), "mnist", "expected one name in config.dataset, found cifar10, mnist"),
    ("config.dataset", slice(None), "../mnist", "expected one name in config.dataset, found ../mnist"),
]


@pytest.mark.parametrize(("column", "row", "value", "found"), CHANGES)
def test_metrics_of_another_meaning_are_refused(tiny, tmp_path, column, row, value, found):
    frame = pd.read_csv(tiny / "metrics.csv.gz").astype({column: object})
    frame.loc[frame.index[row], column] = value
    with pytest.raises(ValueError, match=found) as refused:
        small_cnn_zoo(rewritten(tiny, tmp_path, frame))
    assert "metrics.csv.gz" in str(refused.value)


@pytest.mark.parametrize("column", [*NAMED, "config.dataset", "modeldir", "step", *MEASURED])
def test_a_missing_column_is_named(tiny, tmp_path, column):
    frame = pd.read_csv(tiny / "metrics.csv.gz").drop(columns=column)
    with pytest.raises(ValueError, match=f"metrics.csv.gz: no column {column}; it has config"):
        small_cnn_zoo(rewritten(tiny, tmp_path, frame))


def test_a_folder_of_several_zoos_is_refused_and_one_alone_is_found(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "all" / "cifar10")
    assert len(small_cnn_zoo(tmp_path / "all").columns) == 4
    shutil.copytree(tiny, tmp_path / "all" / "mnist")
    with pytest.raises(ValueError, match="several zoos, cifar10, mnist; give the folder of one"):
        small_cnn_zoo(tmp_path / "all")
    for path in (tiny / "weights.npy", tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="no folder"):
            small_cnn_zoo(path)


def test_metrics_of_another_number_of_rows_are_refused(tiny, tmp_path):
    with pytest.raises(ValueError, match="35 rows for 36 rows of weights"):
        small_cnn_zoo(rewritten(tiny, tmp_path, pd.read_csv(tiny / "metrics.csv.gz")[:-1]))


@pytest.mark.parametrize("name", ["weights.npy", "metrics.csv.gz", "layout.csv"])
def test_a_missing_or_damaged_file_is_named(tiny, tmp_path, name):
    there = copied(tiny, tmp_path)
    data = (there / name).read_bytes()
    for damaged in (data[: len(data) // 3], b"", b"\x93NUMPY\x01"):
        (there / name).write_bytes(damaged)
        with pytest.raises(ValueError, match=name):
            small_cnn_zoo(there)
    (there / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no {name}.*one image task"):
        small_cnn_zoo(there)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda array: array[0], r"expected numbers \[row, weight\]"),
        (lambda array: array.astype(np.int32), r"expected numbers \[row, weight\] in floating point, found .* of int32"),
        (np.asfortranarray, "numpy.ascontiguousarray"),
        (lambda array: array[:, :-1], "tensors must fill a net's 4969 weights|expected 4810:4970"),
        (lambda array: np.pad(array, ((0, 0), (0, 1))), "its tensors end at 4970, but a net has 4971"),
    ],
)
def test_weights_of_another_form_are_refused(tiny, tmp_path, change, found):
    there = copied(tiny, tmp_path)
    np.save(there / "weights.npy", change(np.load(there / "weights.npy")))
    with pytest.raises(ValueError, match=found):
        small_cnn_zoo(there)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("160,176", "161,176", "is 161:176, expected 160:176"),
        ("16,160", "16,161", "is 16:161, expected 16:160"),
        ("16,160", "17,161", "is 17:161, expected 16:160"),
        ("(3, 3, 1, 16)", "(3, 1, 1, 16)", "expected 16:64"),
        ("conv2d/bias:0", "conv2d/gamma:0", "a kernel:0 of 4 or 2 axes and a bias:0, it has gamma:0, kernel:0"),
        ("dense/bias:0", "dense_1/bias:0", "it has bias:0"),
        ("conv2d_1/", "conv2d/", "two tensors are named 'sequential/conv2d/bias:0'"),
        ('"(10,)"', '"(2, 5)"', r"10 outputs, but a bias of shape \(2, 5\)"),
        ('"(16, 10)"', '"(160,)"', "a kernel:0 of 4 or 2 axes"),
        ("varname", "name", "no column varname; it has end_idx, name"),
        ("(16, 10)", "(16, 10.0)", "expected a shape such as"),
        ("(16, 10)", "(9999999, 10)", "expected a shape such as"),
        ("(16, 10)", "(16, -10)", "expected a shape such as"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(tmp_path, before, after, found):
    there = write(tmp_path / "there", metrics(4), layout=LAYOUT.replace(before, after))
    with pytest.raises(ValueError, match=f"layout.csv: .*{found}"):
        small_cnn_zoo(there)


def test_code_in_the_files_is_not_executed(tmp_path):
    """A shape that is an expression, and an array of objects that would run code when it is unpickled."""
    mark = tmp_path / "executed"
    code = f"__import__('pathlib').Path('{mark}').touch() or (16, 10)"
    there = write(tmp_path / "there", metrics(4), layout=LAYOUT.replace("(16, 10)", code))
    with pytest.raises(ValueError, match="expected a shape such as"):
        small_cnn_zoo(there)
    (there / "layout.csv").write_text(LAYOUT)
    hostile = np.empty((36, 4970), object)
    hostile[...] = Malicious(mark)
    np.save(there / "weights.npy", hostile, allow_pickle=True)
    with pytest.raises(ValueError, match=r"weights\.npy"):
        small_cnn_zoo(there)
    assert not mark.exists()
    np.load(there / "weights.npy", allow_pickle=True)
    assert mark.exists(), "the attack would have worked"


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tiny, tmp_path):
    there = copied(tiny, tmp_path)
    foreign = small_cnn_zoo(there)
    with (there / "weights.npy").open("r+b") as file:
        file.truncate(4970 * 4 * 20)
    with pytest.raises(ValueError, match=r"weights\.npy ends within row .* it changed while it was read"):
        foreign.weights(np.arange(4))


def test_an_imported_zoo_scores_end_to_end(source, tmp_path):
    """Through `import_zoo`, from an archive, as users do."""
    with tarfile.open(tmp_path / "cifar10.tar", "w") as archive:
        archive.add(source, "cifar10")
    folder = import_zoo("small-cnn-zoo", tmp_path / "cifar10.tar", tmp_path / "zoo", options={"trajectory": "0,86"})
    made = zoo.open(folder)
    assert set(views(made.arrays("train")[0], made.layout)) == {entry.name for entry in made.layout}
    plain = Job(folder, (folder,), "mean", "test_accuracy", range(1), QUICK, tmp_path / "out")
    left = unreadable(made, METANETS, "trained")
    assert {"probe", "mp_gmn"} <= left.keys()  # these nets cannot be run, nor their layers told
    names = [name for name in METANETS if name not in left]
    found = {name: records.read(run(replace(plain, metanet=name))[0]).test["r2"] for name in names}
    assert found["trees_statistics"] > 0.5
