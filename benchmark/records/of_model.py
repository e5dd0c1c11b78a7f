"""Which records are of a fitted metanet in a folder, and so what it scored on test nets."""

from pathlib import Path

from benchmark.records.readable import has_records, readable
from benchmark.records.records import Record
from metanets.model_folder import Model, read


def scores_of(model_folder: Path, results: Path) -> dict[str, float]:
    """Its R² and tau on the test nets of its zoo, of the record of the very same fit; none where there is no such record."""
    if not has_records(results):
        return {}
    model, _ = read(model_folder)
    same = [one.record for one in readable(results)[0] if _is_of(one.record, model)]
    return {name: same[0].test[name] for name in ("r2", "tau")} if same else {}


def _is_of(record: Record, model: Model) -> bool:
    """Whether the fit was the same: of one metanet, seed, target and zoo, and with the same choice and validation score."""
    task, metanet = record.task, record.metanet
    of_zoo = task.zoo == task.test_zoo and task.zoo.manifest_sha256 == model.zoo.manifest_sha256
    whole = task.shift is None and task.train_nets is None and task.pairs is None and not record.augment
    mine = (metanet.name, metanet.version, record.seed, task.target, task.inputs)
    chosen = {name: record.chosen.get(name) for name in model.chosen}
    return (
        of_zoo
        and whole
        and mine == (model.metanet, model.version, model.seed, model.target, model.inputs)
        and chosen == model.chosen
    )
