"""The parts of the importer of Lim et al. 2024's zoos, each on its own: a net's file, and the tables beside the nets."""

import numpy as np
import pytest
import torch
from plain_resnet8 import PlainResNet8

from zoo.importers.asymmetric_networks import nets, tables


@pytest.fixture
def state():
    torch.manual_seed(0)
    return dict(PlainResNet8(width=0.125, channels=1).state_dict())


def saved(path, tensors, accuracy=90.0):
    torch.save((tensors, accuracy), path)
    return path


def test_what_all_nets_share_is_read_off_the_first(state, tmp_path):
    mask = torch.zeros_like(state["linear.weight"])
    mask[0] = 1
    normal = torch.full_like(mask, 3.0)
    state["linear.weight"] = torch.where(mask == 1, state["linear.weight"], 1.5 * normal)
    masked = {**state, "linear.mask": mask, "linear.normal_mask": normal}
    shared = nets.shared([saved(tmp_path / "0.pt", masked)], 2.0)
    (entry,) = (entry for entry in shared.layout if entry.name == "linear.weight")
    assert shared.family == "w_asymmetric"
    assert torch.equal(shared.trained[entry.slice].reshape(entry.shape), mask == 1)
    assert shared.fixed[~shared.trained].unique().tolist() == [6.0]
    assert nets.stored_kappa(shared) == 1.5
    vector, accuracy = nets.net(tmp_path / "0.pt", shared)
    assert accuracy == 90.0
    assert torch.equal(vector[~shared.trained], shared.fixed[~shared.trained])
    assert torch.equal(vector[entry.slice].reshape(entry.shape)[0], state["linear.weight"][0])
    with pytest.raises(ValueError, match="normal_mask has other values"):
        nets.net(saved(tmp_path / "1.pt", {**masked, "linear.normal_mask": normal + 1}), shared)


def test_matrices_have_the_names_of_this_package(state, tmp_path):
    places = {"nonlin": 2, **{f"layer{i}.0.nonlin{k}": size for i, size in ((1, 2), (2, 4), (3, 8)) for k in (1, 2)}}
    matrices = {f"{place}.F_mat": torch.randn(size, size, 1, 1) for place, size in places.items()}
    shared = nets.shared([saved(tmp_path / "0.pt", state | matrices)], 2.0)
    assert shared.family == "sigma_asymmetric"
    assert shared.gate is not None
    assert torch.equal(shared.gate["nonlin1"], matrices["nonlin.F_mat"][:, :, 0, 0])
    assert shared.trained.all()


def test_a_net_that_is_no_resnet8_is_compared_with_the_nearest(state, tmp_path):
    del state["ln1.bias"]
    with pytest.raises(ValueError, match=r"0\.pt: ln1\.bias: no such tensor, but \(2,\) in the paper's ResNet8"):
        nets.shared([saved(tmp_path / "0.pt", state)], 2.0)


def test_a_row_of_the_table_is_that_of_the_net_of_its_number(tmp_path):
    (tmp_path / "nets").mkdir()
    assert tables.beside(tmp_path / "nets", "hparams.csv") is None
    path = tmp_path / "hparams.csv"
    path.write_text("lr,weight_decay,label_smoothing,epochs\n" + "".join(f"0.{n},0,0,{n}\n" for n in range(4)))
    assert tables.beside(tmp_path / "nets", "hparams.csv") == path
    found, notes = tables.hyper_parameters(path, [3, 1])
    assert notes == []
    np.testing.assert_array_equal(found["learning_rate"], [0.3, 0.1])
    assert found["epochs"].tolist() == [3, 1]
    with pytest.raises(ValueError, match="has 4 rows, but there is a net 4"):
        tables.hyper_parameters(path, [4])


def test_the_published_split_is_by_index_and_lacks_none(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("index,split\n7,test\n2,train\n")
    assert tables.published(path, [2, 7]).tolist() == ["train", "test"]
    with pytest.raises(ValueError, match="no split of net 3, and of 1 more; split=lineage does without"):
        tables.published(path, [2, 3, 4])
