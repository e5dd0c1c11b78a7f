"""What a prediction costs: counted as by hand, also where native code runs, and written to records."""

import pytest
import torch
from torch import nn

from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.records import records
from benchmark.scoring.cost import multiply_adds
from benchmark.scoring.score import score
from metanets import Training
from metanets.dmc.dmc import DMC
from metanets.mlp import MLP


def test_products_are_counted_as_by_hand():
    assert multiply_adds(MLP(300), torch.randn(5, 300)) == 300 * 64 + 64
    assert multiply_adds(nn.Sequential(nn.Conv1d(1, 2, 5), nn.Flatten(0)), torch.randn(3, 1, 20)) == 16 * 2 * 5


def test_convolutions_of_native_code_are_counted_too():
    weights = torch.randn(3, 2500)
    assert multiply_adds(DMC(2500), weights) == multiply_adds(DMC(2500, plain=True), weights) > 2500 * 2 * 5


def test_parameters_that_are_expanded_for_each_net_are_no_matter():
    class Expanding(nn.Module):
        def __init__(self):
            super().__init__()
            self.place, self.linear = nn.Parameter(torch.ones(3)), nn.Linear(3, 1)

        def forward(self, batch):
            return self.linear(self.place.expand(len(batch), -1)).squeeze(1)

    assert multiply_adds(Expanding(), torch.randn(4, 3)) == 3


def test_what_takes_float32_alone_is_not_counted():
    class Single(nn.Module):
        def forward(self, batch):
            return batch @ torch.ones(3, dtype=torch.float32)

    assert multiply_adds(Single(), torch.randn(4, 3)) is None


def test_attention_is_counted_and_what_is_done_once_for_all_nets_is_not():
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    tokens, projections = 5, 5 * 8 * (3 * 8 + 8 + 2 * 16)
    assert multiply_adds(nn.Sequential(block, nn.Flatten(0)), torch.randn(4, tokens, 8)) == projections + 2 * tokens**2 * 8

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.own = nn.Linear(3, 7), nn.Linear(7, 1)

        def forward(self, batch):
            return (self.own(batch) * self.first(torch.ones(100, 3, dtype=batch.dtype)).mean()).squeeze(1)

    assert multiply_adds(Shared(), torch.randn(4, 7)) == 7


def test_records_and_boards_have_it(standard, tmp_path):
    quick = Training(epochs=2, batch=8, learning_rates=(1e-3,))
    paths = score([standard], ["statnn", "mean"], "test_accuracy", out=tmp_path, seeds=2, training=quick)
    costs = {records.read(path).metanet.name: records.read(path).cost for path in paths}
    assert set(costs["mean"]) == {"ms_per_net"}
    assert costs["statnn"]["multiply_adds"] == 203 * 256 + 256 * 256 + 256
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    assert cells.loc["statnn", "multiply_adds"] == costs["statnn"]["multiply_adds"]
    assert cells["multiply_adds"].isna().to_dict() == {"mean": True, "statnn": False}
    assert cells.loc["statnn", "ms_per_net"] == pytest.approx(0, abs=1000)
    assert (cells["ms_per_net"] > 0).all()
