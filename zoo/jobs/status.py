"""How far a build is, from the files in its folder alone: for progress bars, and for `metazoo status`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo.dataset import zoo_json
from zoo.jobs import leases, plan
from zoo.jobs.units import Unit, present
from zoo.messages import duration
from zoo.seeds import net_seed
from zoo.spec.draws import draw
from zoo.spec.spec import Spec
from zoo.storage.manifest import held
from zoo.untrusted.json import read_json


@dataclass(frozen=True)
class Status:
    """`held` nets are in shards; of the others, counts of units and of net-epochs (one net, once through the images).

    `nets_per_hour` is that of the workers now running, from the time that finished units took; None before the first.
    """

    held: int
    units: int
    done: int
    running: int
    failed: int
    epochs: int
    all_epochs: int
    nets: int
    nets_per_hour: float | None
    seconds_left: float | None

    def lines(self) -> list[str]:
        """What a person wants to know, a line each."""
        if not self.units:
            return [f"finished     {self.held:,} nets in shards"]
        lines = [
            f"units        {self.done} of {self.units} done, {self.running} running, {self.failed} failed",
            f"net-epochs   {self.epochs:,} of {self.all_epochs:,} ({self.epochs / max(1, self.all_epochs):.0%})",
        ]
        if self.nets_per_hour is not None and self.seconds_left is not None:
            workers = f"by the {self.running} workers now running" if self.running else "for each worker; none is running"
            lines += [f"nets/hour    {self.nets_per_hour:,.0f} {workers}", f"time left    {duration(self.seconds_left)}"]
        return lines

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return asdict(self)


def status(folder: Path | str) -> Status:
    """Reads a folder in which a build was begun. Raises FileNotFoundError where none was."""
    folder = Path(folder).expanduser()
    spec, units = zoo_json.read(folder).built, plan.units(folder)
    epochs = dict(zip(units, _epochs(spec, tuple(units)), strict=True))
    names = present(folder)
    done = [unit for unit in units if unit.receipt(folder).name in names]
    noted = [unit for unit in units if unit.failures(folder).name in names]
    failed = {unit for unit in noted if unit.receipt(folder).name not in names and unit.has_failed(folder)}
    running = leases.alive(folder)
    finished = sum(epochs[unit] for unit in done)
    begun = sum(lease.epochs for stem, lease in running.items() if f"{stem}.json" not in names)
    rate = _epochs_a_second(folder, tuple(done[-32:])) * max(1, len(running)) if done else None
    left = sum(epochs[unit] for unit in units if unit not in failed) - finished - begun
    nets = sum(len(unit.nets) for unit in done)
    return Status(
        held=held(folder),
        units=len(units),
        done=len(done),
        running=len(running),
        failed=len(failed),
        epochs=finished + begun,
        all_epochs=sum(epochs.values()),
        nets=nets,
        nets_per_hour=3600 * rate * nets / finished if rate else None,
        seconds_left=left / rate if rate else None,
    )


@lru_cache(maxsize=4)
def _epochs(spec: Spec, units: Sequence[Unit]) -> tuple[int, ...]:
    """The net-epochs that each unit takes, by the draws of its nets."""
    return tuple(sum(int(draw(spec.recipe, seed=net_seed(spec.seed, i))["epochs"]) for i in unit.nets) for unit in units)


@lru_cache(maxsize=4)
def _epochs_a_second(folder: Path, units: Sequence[Unit]) -> float:
    """The net-epochs a second of one worker, by these units' receipts."""
    receipts = [read_json(unit.receipt(folder), below=folder) for unit in units]
    return sum(receipt["epochs"] for receipt in receipts) / max(1e-3, sum(receipt["seconds"] for receipt in receipts))
