"""Units: every tensor of every architecture belongs to one layer, and layers that follow each other share a space."""

import pytest

from zoo.nets import mlp, resnet
from zoo.nets.layout import from_shapes
from zoo.nets.units import CLASSES, INPUT, units_of

LAYOUTS = {
    "resnet8": resnet.layout(width=0.5, channels=3, classes=10),
    "mlp": mlp.layout(width=1.0, channels=1, pixels=64, classes=10),
    "mlp with norms": mlp.layout(width=1.0, channels=1, pixels=64, classes=10, norm=True),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_tensor_stands_in_one_unit_and_units_reach_from_the_inputs_to_the_classes(layout):
    units = units_of(layout)
    assert [entry for unit in units for entry in (unit.weight, *unit.vectors.values())] == list(layout)
    assert units[0].reads == INPUT
    assert units[-1].writes == CLASSES
    written = {unit.writes for unit in units}
    assert {unit.reads for unit in units} - {INPUT} == written - {CLASSES}


def test_resnet8_has_ten_units_and_two_writers_of_each_stream():
    units = units_of(LAYOUTS["resnet8"])
    assert len(units) == 10
    assert [unit.name for unit in units if unit.writes == "P1"] == ["layer2.0.conv2", "layer2.0.shortcut.0"]
    assert {unit.name: unit.offsets for unit in units}["layer2.0.shortcut.0"] == 1
    assert units[0].offsets == 9
    assert [*units[0].vectors] == ["scale", "shift"]
    assert [*units[-1].vectors] == ["bias"]


def test_layers_of_which_it_is_not_known_what_they_read_are_refused():
    layout = from_shapes([(f"{i}.weight", (4, 4), "linear", (None, None)) for i in range(3)])
    with pytest.raises(ValueError, match=r"what these layers read and write is not known: 0, 1, 2"):
        units_of(layout)


def test_what_is_no_part_of_a_layer_is_named():
    statistic = from_shapes(
        [("conv.weight", (4, 3, 3, 3), "conv", ("A", None, None, None)), ("mean", (4,), "statistic", ("A",))]
    )
    with pytest.raises(ValueError, match=r"mean \(statistic, \[4\]\) is no part of a layer"):
        units_of(statistic)
    with pytest.raises(ValueError, match=r"b is no part|b \(bias"):
        units_of(from_shapes([("b", (4,), "bias", ("A",))]))
