"""Looking for leaks in a zoo: labels that can be told without learning them, nets known from another split, bad labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import inf, sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import t as student

import zoo as zoos
from benchmark.analyses.fingerprints import Sighting, fingerprints
from benchmark.records.facts import facts_of
from benchmark.scoring.feature_cache import features
from benchmark.scoring.find import find_metanet
from benchmark.scoring.fit import named
from benchmark.scoring.task import check_task, left_out
from benchmark.statistics.attainable import images_of, measured_again, noise_ceiling
from benchmark.statistics.metrics import is_constant, scores
from metanets import Examples, Metanet, Training
from metanets.inputs import batch
from zoo import Zoo
from zoo.seeds import stream
from zoo.spec.columns import TARGETS

SHUFFLES = {"ridge": 20, "trees_statistics": 10}  # metanet -> fits to shuffled labels; one of trees takes seconds
CHANCE = 0.001  # how often a mean exceeds its bound where nothing leaks
RANGES = {"accuracy": (0.0, 1.0), "loss": (0.0, inf), "gap": (-1.0, 1.0)}  # last word of a target -> what it can be

Level = Literal["leak", "fault", "warning"]


@dataclass(frozen=True)
class Finding:
    """What is wrong: a `leak` tells answers across splits, a `fault` spoils labels, a `warning` stays in one split."""

    level: Level
    check: str
    text: str


@dataclass(frozen=True)
class Shuffled:
    """A metric against the true labels, over fits to shuffled ones: its mean, its standard deviation, how many fits.

    `bound` is the mean's standard error times Student's t: where nothing leaks, R²'s mean lies above it, or tau's
    beyond it on either side, in CHANCE of audits.
    """

    metanet: str
    metric: str
    mean: float
    sd: float
    fits: int
    bound: float

    @property
    def leaks(self) -> bool:
        """Whether the mean is beyond chance. R² below zero is what shuffled labels should give."""
        return (self.mean if self.metric == "r2" else abs(self.mean)) > self.bound

    def line(self) -> str:
        """In words."""
        return (
            f"{self.metanet} fitted to shuffled labels {self.fits} times: mean {self.metric} {self.mean:.3f} "
            f"(sd {self.sd:.3f}) against the true ones; chance reaches {self.bound:.3f}"
        )


@dataclass(frozen=True)
class Audit:
    """What was looked at in a zoo, and what was found. `vectors` counts the nets and checkpoints compared."""

    zoo: str
    target: str
    nets: int
    vectors: int
    labels: tuple[str, ...]
    noise: tuple[str, ...]
    shuffled: tuple[Shuffled, ...]
    findings: tuple[Finding, ...]

    def lines(self) -> list[str]:
        """In words: what was looked at, with the numbers; then the findings."""
        shuffled = [result.line() for result in self.shuffled] or ["labels were not shuffled, since they are faulty"]
        return [
            f"{self.zoo}: seeds of {self.nets} nets and {self.vectors} weight vectors compared, in order and out of it",
            f"labels checked: {', '.join(self.labels)}",
            *self.noise,
            *shuffled,
            *(f"{finding.level}: {finding.check}: {finding.text}" for finding in self.findings),
            f"{len(self.findings)} finding(s)" if self.findings else "nothing found",
        ]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def audit(
    zoo_folder: Path, target: str = "test_accuracy", *, seed: int = 0, shuffles: Mapping[str, int] = SHUFFLES
) -> Audit:
    """Looks for leaks and bad labels in a zoo. The files' bytes are `verify`'s to check.

    Metanets in `shuffles`, by the names that `score` takes, are fitted so many times to shuffled `target`s; `seed`
    shuffles. Labels of test nets are looked at for their range only. Raises ValueError on an unknown target or metanet.
    """
    zoo = zoos.open(zoo_folder)
    zoo.check_target(target)
    labels = tuple(dict.fromkeys([*(name for name in TARGETS if name in zoo.targets), target]))
    sightings = list(fingerprints(zoo))
    findings = [*_labels(zoo, labels), *_seeds(zoo), *_copies(zoo, sightings)]
    faulty = any(finding.level == "fault" for finding in findings)
    shuffled = () if faulty else tuple(r for name in shuffles for r in shuffle(zoo, target, name, shuffles[name], seed=seed))
    findings += [Finding("leak", "shuffled labels", result.line()) for result in shuffled if result.leaks]
    return Audit(zoo.spec.name, target, len(zoo), len(sightings), labels, _noise(zoo), shuffled, tuple(findings))


def _noise(zoo: Zoo) -> tuple[str, ...]:
    """How noisy accuracies are: the R² of those on held-out images as predictor, and the ceiling of their number.

    Of the nets of training and validation; empty where no images are held out.
    """
    both = ["test_accuracy", "validation_accuracy"]
    if not set(both) <= set(zoo.targets):
        return ()
    known = zoo.columns[(zoo.columns["split"] != "test") & ~zoo.columns["diverged"]][both].dropna()
    test, held_out = known.to_numpy(np.float64).T
    if len(known) < 2 or is_constant(test) or (images := images_of(test, facts_of(zoo).test_images)) is None:
        return ()
    again, ceiling = measured_again(test, held_out), noise_ceiling(test, images)
    return (
        f"noise: validation_accuracy predicts test_accuracy with R² {again:.3f}; "
        f"a perfect prediction would have {ceiling:.3f}, given {images:,} test images",
    )


def shuffle(zoo: Zoo, target: str, name: str, fits: int, *, seed: int) -> list[Shuffled]:
    """R² and tau of a metanet on the validation nets, after each of `fits` fits to labels in random order.

    A single fit may score well by chance, because a fit to noise follows the few directions in which nets differ most,
    and so do true labels. It as often scores as badly: labels are also mirrored about their mean in a random half of
    the fits, which makes any prediction as likely as its mirror image, so that over shuffles R² is at most 0 in the
    mean and tau exactly 0, unless the metanet knows the labels from elsewhere. Validation labels are shuffled too,
    since choices are made on them. Raises ValueError for fewer than two fits.
    """
    if fits < 2:
        raise ValueError(f"{name}: {fits} fits to shuffled labels tell no noise; expected 2 or more")
    metanet = find_metanet(name)
    train, validation = (_examples(zoo, metanet, split, target) for split in ("train", "validation"))
    rng, results, chosen = stream("audit", name, seed), [], None
    for _ in range(fits):
        sign = 1 - 2 * int(torch.randint(2, (1,), generator=rng))
        centre = float(train.target.mean())
        noise = [
            replace(part, target=centre + sign * (_permuted(part.target, rng) - centre)) for part in (train, validation)
        ]
        with named(name, seed):
            fitted = metanet.fit(*noise, training=Training().following(metanet.recipe), seed=seed, chosen=chosen)
        chosen = fitted.chosen if chosen is None else chosen
        results.append(scores(validation.target, fitted.predict(validation.features)))
    return [_summary(name, metric, np.array([result[metric] for result in results])) for metric in ("r2", "tau")]


def _permuted(labels: Float[np.ndarray, " net"], rng: torch.Generator) -> Float[np.ndarray, " net"]:
    return labels[torch.randperm(len(labels), generator=rng).numpy()]


def _summary(metanet: str, metric: str, values: Float[np.ndarray, " fit"]) -> Shuffled:
    sides = 1 if metric == "r2" else 2
    sd = float(values.std(ddof=1))
    bound = float(student.ppf(1 - CHANCE / sides, len(values) - 1)) * sd / sqrt(len(values))
    return Shuffled(metanet, metric, float(values.mean()), sd, len(values), bound)


def _examples(zoo: Zoo, metanet: Metanet, split: str, target: str) -> Examples:
    index, found = features(zoo, metanet, split, hidden=target)
    if (gone := left_out(zoo, target)[index]).any():
        index, found = index[~gone], batch.rows(found, torch.from_numpy(np.flatnonzero(~gone)))
    return Examples(found, zoo.columns[target].to_numpy(np.float64)[index], zoo.layout)


def _copies(zoo: Zoo, sightings: list[Sighting]) -> Iterator[Finding]:
    """A finding for each set of nets with equal weights, or with weights equal up to their order within tensors.

    Copies whose channels were rescaled too are not found, although a standard net computes the same with them.
    """
    reported = set()
    for check, kind in (("equal weights", "exact"), ("permuted weights", "unordered")):
        groups: dict[bytes, dict[int, str]] = defaultdict(dict)
        for sighting in sightings:
            groups[getattr(sighting, kind)].setdefault(sighting.index, sighting.when)
        for group in groups.values():
            if len(group) > 1 and frozenset(group) not in reported and not _is_one_lineage(zoo, list(group)):
                reported.add(frozenset(group))
                yield _shared(zoo, check, group)


def _seeds(zoo: Zoo) -> Iterator[Finding]:
    """A finding for each set of nets with the same seed: the same start and the same order of images.

    An imported zoo has lineages instead: nets that share one, in any sense that its source gives.
    """
    column = next((name for name in ("seed", "lineage") if name in zoo.columns), None)
    for _, indices in [] if column is None else zoo.columns.groupby(column)["index"]:
        if len(indices) > 1 and not _is_one_lineage(zoo, indices.tolist()):
            yield _shared(zoo, f"equal {column}s", dict.fromkeys(indices.tolist(), ""))


def _is_one_lineage(zoo: Zoo, group: list[int]) -> bool:
    """Whether these are moved copies of one net in one split, which are alike on purpose; in two splits they are a leak."""
    if zoo.moved is None:
        return False
    nets = zoo.columns.loc[group]
    return nets["lineage"].nunique() == 1 and nets["split"].nunique() == 1


def _shared(zoo: Zoo, check: str, group: Mapping[int, str]) -> Finding:
    """Nets that have in common what they should not: a leak where they are of different splits."""
    split = zoo.columns["split"]
    nets = ", ".join(f"net {index} ({split[index]}{when})" for index, when in group.items())
    return Finding("leak" if split[list(group)].nunique() > 1 else "warning", check, nets)


def _labels(zoo: Zoo, names: Iterable[str]) -> Iterator[Finding]:
    """A fault for each label that is missing, out of its range, or cannot be scored, of nets that did not diverge."""
    unscorable = []
    for name in names:
        low, high = (-inf, inf) if zoo.source_of(name) else RANGES.get(name.split("_")[-1], (-inf, inf))
        settled = zoo.columns[~left_out(zoo, name)]
        values = settled[name]
        for what, wrong in (("missing", values.isna()), (f"outside {low:g} to {high:g}", (values < low) | (values > high))):
            if wrong.any():
                nets = ", ".join(map(str, settled.loc[wrong, "index"]))
                yield Finding("fault", "labels", f"{name} is {what} for net {nets}, not marked diverged")
        try:
            check_task(zoo, name)
        except ValueError as error:
            unscorable.append(str(error))
    yield from (Finding("fault", "labels", text) for text in dict.fromkeys(unscorable))
