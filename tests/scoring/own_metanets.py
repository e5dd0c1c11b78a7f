"""Metanets as users bring them: the tests score them by `own_metanets:NAME` or by this file's path."""

import random

import torch
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from metanets import Fitted, Metanet, by_gradient


class Equivariant(nn.Module):
    """A layer like those of neural functionals (Zhou et al. 2023, arXiv 2302.14040) for any layout, then a read-out.

    Each tensor becomes its entries mixed with the means over its first two axes; the mean over all entries of each is
    blind to the order of channels.
    """

    reads = "tensors"

    def __init__(self, layout, hidden=4):
        super().__init__()
        self.names = [entry.name for entry in layout]
        self.mix = nn.ParameterDict({self._key(name): nn.Parameter(torch.randn(4, hidden) / 2) for name in self.names})
        self.read_out = nn.Sequential(nn.LayerNorm(hidden * len(layout)), nn.Linear(hidden * len(layout), 1))

    def forward(self, tensors):
        pooled = [self._layer(tensors[name], self.mix[self._key(name)]) for name in self.names]
        return self.read_out(torch.cat(pooled, dim=1)).squeeze(-1)

    def _layer(self, x, mix):
        x = x.reshape(len(x), x.shape[1], -1)  # net row column
        whole = x.mean(dim=(1, 2), keepdim=True).expand_as(x)
        features = torch.stack([x, x.mean(2, keepdim=True).expand_as(x), x.mean(1, keepdim=True).expand_as(x), whole], -1)
        return (features @ mix).relu().mean(dim=(1, 2))

    @staticmethod
    def _key(name):
        return name.replace(".", "_")


class Vector(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.linear = nn.Linear(weights, 1)

    def forward(self, weights):
        return self.linear(weights).squeeze(-1)


class Both(nn.Module):
    """Is told the number of inputs and the layout."""

    reads = "statistics"

    def __init__(self, inputs, layout):
        super().__init__()
        assert inputs == 7 * len(layout)
        self.linear = nn.Linear(inputs, 1)

    def forward(self, statistics):
        return self.linear(statistics).squeeze(-1)


class Column(Vector):
    def forward(self, weights):
        return self.linear(weights)


class Raising(Vector):
    def forward(self, weights):
        return self.helped(weights)

    def helped(self, weights):
        return self.linear(weights.reshape(-1, 3, 7)).squeeze(-1)


class Late(Vector):
    """Fails in training only."""

    def forward(self, weights):
        if self.training:
            raise ArithmeticError("not today")
        return super().forward(weights)


class Demanding(nn.Module):
    def __init__(self, width, depth):
        super().__init__()


class Words(Vector):
    def forward(self, weights):
        return "many"


class Misread(Vector):
    reads = "tensor"


class Trees(ExtraTreesRegressor):
    """A regressor of scikit-learn's, of few trees, on the statistics."""

    reads = "statistics"

    def __init__(self, n_estimators=20, random_state=None):
        super().__init__(n_estimators=n_estimators, random_state=random_state)


few_trees = ExtraTreesRegressor(n_estimators=5)


class TwoColumns(Trees):
    def predict(self, features):
        return super().predict(features)[:, None]


def bias_and_kernel(nets):
    """Some tensors of a net: a batch that is a dict."""
    tensors = nets.tensors()
    return {name: tensors[name] for name in ("linear.bias", "conv1.weight")}


class Some(nn.Module):
    def __init__(self, numbers):
        super().__init__()
        self.linear = nn.Linear(numbers, 1)

    def forward(self, batch):
        return self.linear(torch.cat([part.flatten(1) for part in batch.values()], dim=1)).squeeze(-1)


some = Metanet(bias_and_kernel, by_gradient(Some), trained_by_gradient=True)


class NotInPlace(Vector):
    def forward(self, weights):
        return super().forward(weights * 3 + 1)


class InPlace(Vector):
    """The same, by changing what it was given."""

    def forward(self, weights):
        weights.mul_(3)
        weights += 1
        return super().forward(weights)


class Dropped(Vector):
    """Draws from the global generator in training."""

    def forward(self, weights):
        return super().forward(nn.functional.dropout(weights, 0.5, self.training))


class OnTestOnly(Vector):
    """Fails once it has predicted for the validation nets of all epochs, which are fewer than those of the test."""

    calls = 0

    def forward(self, weights):
        OnTestOnly.calls += not self.training
        if OnTestOnly.calls > 4:  # the rehearsal, two epochs, the validation nets; then the test nets
            raise KeyError("only on the test nets")
        return super().forward(weights)


class LayoutFirst(nn.Module):
    def __init__(self, layout, numbers):
        super().__init__()
        self.linear = nn.Linear(numbers, 1)

    def forward(self, weights):
        return self.linear(weights).squeeze(-1)


class OneByName(Vector):
    def __init__(self, *, count):
        super().__init__(count)


class TensorTrees(Trees):
    reads = "tensors"


forest = make_pipeline(StandardScaler(), ExtraTreesRegressor(n_estimators=5))


def reading_badly(nets):
    raise ZeroDivisionError("in reads")


bad_reader = Metanet(reading_badly, by_gradient(Vector), trained_by_gradient=True)


class DroppedByPython(Vector):
    """Draws from Python's own generator in training."""

    def forward(self, weights):
        return super().forward(weights * random.random() if self.training else weights)


class Noisy(Vector):
    """Draws whenever it predicts."""

    def forward(self, weights):
        return super().forward(weights + torch.randn_like(weights) / 10)


class SomeColumns(Vector):
    """Reads some of the entries, by lot."""

    @staticmethod
    def reads(nets):
        return nets.weights[:, torch.randperm(nets.weights.shape[1])[:50]]


def fit_in_place(train, validation, *, training, seed, chosen=None):
    """A line through one statistic, by changing all that is given."""
    for part in (train, validation):
        part.features.sub_(part.features.mean())
        part.target[:] -= 1
    slope = float(train.features[:, 0].double() @ torch.from_numpy(train.target))

    def predict(features):
        features.mul_(slope)
        return features[:, 0].numpy()

    return Fitted(predict, 1)


in_place = Metanet("statistics", fit_in_place)
no_fit = Metanet("statistics", lambda *given, **options: "fitted")
failing_fit = Metanet("statistics", lambda *given, **options: 1 / 0)
