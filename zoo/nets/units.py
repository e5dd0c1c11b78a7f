"""Units: a layout as the layers of a net, each a weight with what is added to or multiplied into its output channels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from zoo.nets.layout import Entry, Layout

INPUT, CLASSES = "input", "classes"  # the spaces of what no channel space runs over: a net's inputs and its outputs


@dataclass(frozen=True)
class Unit:
    """One layer: `weight` [out, in, *kernel] maps the space `reads` to `writes`, then what stands behind it acts.

    `bias`, and `scale` and `shift` of the norm behind it, have one number an output channel; None where there is none.
    The names of two units that write one space differ: a residual stream is written by several, and summed.
    """

    weight: Entry
    reads: str
    writes: str
    bias: Entry | None = None
    scale: Entry | None = None
    shift: Entry | None = None

    @property
    def name(self) -> str:
        """Its weight's, without the ending."""
        return self.weight.name.removesuffix(".weight")

    @property
    def vectors(self) -> dict[str, Entry]:
        """What it has of bias, scale and shift, in this order."""
        found = {"bias": self.bias, "scale": self.scale, "shift": self.shift}
        return {name: entry for name, entry in found.items() if entry is not None}

    @property
    def offsets(self) -> int:
        """Numbers for each pair of an output and an input channel: 9 of a 3 x 3 kernel, 1 of a linear layer."""
        out, into = self.weight.shape[:2]
        return self.weight.size // (out * into)


def units_of(layout: Layout) -> tuple[Unit, ...]:
    """The units in the layout's order, which is that of the net's layers: vectors belong to the weight before them.

    Raises ValueError naming the tensor where there is one that no unit can have, and where it is not known what layers read
    and write, as in imported nets.
    """
    units = tuple(_units(layout))
    for side, ends in (("reads the inputs", INPUT), ("writes the classes", CLASSES)):
        if len(found := [unit.name for unit in units if ends in (unit.reads, unit.writes)]) > 1:
            raise ValueError(
                f"what these layers read and write is not known: {', '.join(found)}; expected that one alone {side}"
            )
    return units


def _units(layout: Layout) -> Iterator[Unit]:
    unit: Unit | None = None
    for entry in layout:
        if entry.role in ("conv", "linear") and len(entry.shape) >= 2:
            if unit is not None:
                yield unit
            writes, reads = entry.axes[0] or CLASSES, entry.axes[1] or INPUT
            unit = Unit(entry, reads, writes)
        elif unit is not None and entry.role in ("bias", "scale", "shift") and _fits(entry, unit):
            added: dict[str, Any] = {entry.role: entry}
            unit = replace(unit, **added)
        else:
            raise ValueError(
                f"{entry.name} ({entry.role}, {list(entry.shape)}) is no part of a layer: expected a weight [out, in, ...], "
                f"or a bias, scale or shift of the output channels of the weight before it"
            )
    if unit is not None:
        yield unit


def _fits(entry: Entry, unit: Unit) -> bool:
    """Whether it is a vector over the unit's output channels that the unit does not have yet."""
    alike = entry.shape == unit.weight.shape[:1] and entry.axes == unit.weight.axes[:1]
    return alike and entry.role not in unit.vectors
