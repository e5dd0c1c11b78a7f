"""NFN and the set of channels: one layer against loops over channels, and which orders say nothing to them."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from metanets.structured.nfn import NFN, Equivariant, totals
from metanets.structured.set_of_channels import SetOfChannels
from metanets.structured.sizes import sized
from zoo.nets import mlp, resnet
from zoo.nets.layout import Layout, total, views
from zoo.nets.units import CLASSES, INPUT, Unit, units_of

RESNET8 = resnet.layout(width=0.125, channels=3, classes=4)
MLP = mlp.layout(width=1.0, channels=1, pixels=9, classes=4, hidden=(5, 6))


def drawn(layout: Layout, nets: int = 3) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(2)
    return views(0.3 * torch.randn(nets, total(layout), generator=rng, dtype=torch.float64), layout)


def built(cls, layout: Layout) -> torch.nn.Module:
    torch.manual_seed(0)
    return cls(layout).double().eval()


def mean(parts: list[torch.Tensor]) -> list[torch.Tensor]:
    return [sum(parts) / len(parts)] if parts else []


def along(unit: Unit, units, pairs, vectors, i: int, *, reads: bool) -> list[torch.Tensor]:
    """What the paper's map has of channel i of the space written or read: means one by one, neighbours' averaged."""
    space = unit.reads if reads else unit.writes
    row = {u.name: lambda u=u: sum(pairs[u.name][i]) / len(pairs[u.name][i]) for u in units}
    column = {u.name: lambda u=u: sum(r[i] for r in pairs[u.name]) / len(pairs[u.name]) for u in units}
    own = [column[unit.name]()] if reads else [row[unit.name](), *[vectors[unit.name][i]] * bool(unit.vectors)]
    if space in (INPUT, CLASSES):
        return own
    writers = [u for u in units if u.writes == space and (reads or u.name != unit.name)]
    readers = [u for u in units if u.reads == space and (not reads or u.name != unit.name)]
    shared = mean([row[u.name]() for u in writers]) + mean([vectors[u.name][i] for u in writers if u.vectors])
    return own + shared + mean([column[u.name]() for u in readers])


@pytest.mark.parametrize("layout", [RESNET8, MLP], ids=["resnet8", "mlp"])
def test_a_layer_is_what_loops_over_channels_make(layout):
    units, width, rng = units_of(layout), 3, torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    layer = Equivariant(units, width, others=2).double()
    draw = partial(torch.randn, generator=rng, dtype=torch.float64)
    pairs = {u.name: draw(1, *u.weight.shape[:2], width) for u in units}
    vectors = {u.name: draw(1, u.weight.shape[0], width) for u in units if u.vectors}
    others = draw(1, 2)
    made, own = layer(pairs, vectors, others)
    whole = torch.cat([totals(pairs, vectors), others], dim=1)[0]
    one = {name: part[0] for name, part in pairs.items()}, {name: part[0] for name, part in vectors.items()}
    for u in units:
        place = u.name.replace(".", "/")
        columns = [torch.cat(along(u, units, *one, k, reads=True)) for k in range(u.weight.shape[1])]
        for j in range(u.weight.shape[0]):
            row = torch.cat(along(u, units, *one, j, reads=False))
            if u.vectors:
                torch.testing.assert_close(
                    own[u.name][0, j], F.linear(torch.cat([row, whole]), *layer.vectors[place].parameters())
                )
            for k, column in enumerate(columns):
                given = torch.cat([one[0][u.name][j, k], row, column, whole])
                torch.testing.assert_close(made[u.name][0, j, k], F.linear(given, *layer.pairs[place].parameters()))


def permuted(batch: dict[str, torch.Tensor], layout: Layout, of: str) -> dict[str, torch.Tensor]:
    """The inputs or the classes in reverse order."""
    moved = dict(batch)
    for unit in units_of(layout):
        if unit.reads == of:
            moved[unit.weight.name] = moved[unit.weight.name].flip(2)
        if unit.writes == of:
            moved |= {entry.name: moved[entry.name].flip(1) for entry in (unit.weight, *unit.vectors.values())}
    return moved


@pytest.mark.parametrize("of", [INPUT, CLASSES])
@pytest.mark.parametrize("layout", [RESNET8, MLP], ids=["resnet8", "mlp"])
def test_inputs_and_classes_are_told_apart_but_by_np_without_embeddings(layout, of):
    batch = drawn(layout)
    kinds = {"hnp": NFN, "np": partial(NFN, own_axes=False), "blind": partial(NFN, own_axes=False, embedded=False)}
    modules = {name: built(cls, layout) for name, cls in kinds.items()}
    moved = {name: (m(permuted(batch, layout, of)) - m(batch)).abs() for name, m in modules.items()}
    assert moved["blind"].max() < 1e-10
    assert min(moved["hnp"].min(), moved["np"].min()) > 1e-6


@pytest.mark.parametrize("layout", [RESNET8, MLP], ids=["resnet8", "mlp"])
def test_the_set_of_channels_is_blind_to_the_order_of_tokens_alone(layout):
    batch, module = drawn(layout), built(SetOfChannels, layout)
    before = module(batch)
    for unit in units_of(layout):
        rows = batch | {entry.name: batch[entry.name].flip(1) for entry in (unit.weight, *unit.vectors.values())}
        columns = batch | {unit.weight.name: batch[unit.weight.name].flip(2)}
        assert (module(rows) - before).abs().max() < 1e-10 or unit.writes == CLASSES
        assert (module(columns) - before).abs().min() > 1e-8  # a symmetry of nets moves both, so it is seen


def test_sizes_are_taken_away_and_told():
    batch = drawn(RESNET8)
    tensors, sizes = sized(batch)
    for (name, tensor), size in zip(tensors.items(), sizes.T, strict=True):
        torch.testing.assert_close(tensor.flatten(1).square().mean(dim=1), torch.ones(3).double(), rtol=0, atol=1e-9)
        torch.testing.assert_close(tensor * size.exp().reshape(-1, *[1] * (tensor.dim() - 1)), batch[name])
