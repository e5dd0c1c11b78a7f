"""Fitting metanets and predicting with them: nothing here knows where a zoo lies, or what the test nets' targets are."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from benchmark.scoring.cost import multiply_adds
from benchmark.scoring.find import code_of, find_metanet
from metanets import Examples, Metanet, Training
from metanets.inputs import canonical
from metanets.inputs.batch import Batch
from metanets.inputs.hyper_parameters import HYPER_PARAMETERS, names_read
from metanets.inputs.unable import MistakeError, UnableError
from metanets.metanet import Fitted
from metanets.mistakes import mistakes_named
from zoo import Nets
from zoo.nets.layout import Layout
from zoo.seeds import stable_seed
from zoo.symmetry import Group, act, draw
from zoo.training import machine

MOVED_AT_ONCE = 64  # nets: twice as fast as a thousand
Own = tuple[Metanet, tuple[str, str] | None]  # a metanet, and what `code_of` says of it
EXACT = ConfigDict(extra="forbid", allow_inf_nan=True)


@checked_dataclass(frozen=True, config=EXACT)
class About:
    """What there is to say of a metanet before it is fitted, in words of `Metanet`; `code` is what `code_of` says."""

    version: int
    baseline: bool
    trained_by_gradient: bool
    reads: str | None  # None: an input of its own
    whole: bool
    code: tuple[str, str] | None
    recipe: dict[str, Any]


@dataclass(frozen=True)
class Given:
    """Some nets as a metanet is given them: without targets. Kept inputs stand there instead of the nets.

    `pairs` has the rows of the two nets of each example, where examples are pairs.
    """

    read: Nets | Tensor
    layout: Layout
    pairs: Int[Tensor, "pair 2"] | None = None


@dataclass(frozen=True)
class Moving:
    """Training nets as they are given, their whole vectors, and the group by whose elements they are moved."""

    nets: Nets
    whole: Tensor
    group: Group


@dataclass(frozen=True)
class Fitting:
    """What is to be fitted: a metanet, with each of these seeds, to the targets of the nets given.

    `chosen` is what an earlier seed chose on validation; without it the first seed chooses. `streams` has the seed of each
    seed's own random numbers.
    """

    metanet: str
    seeds: list[int]
    streams: list[int]
    training: Training
    train: Given
    validation: Given
    train_target: np.ndarray
    validation_target: np.ndarray
    chosen: dict[str, Any] | None = None
    moving: Moving | None = None


@checked_dataclass(frozen=True, config=EXACT)
class Outcome:
    """What came of one seed: seconds of fitting, parameters, choices, what predicting a net costs (`ms_per_net` here, and
    the `multiply_adds` of a module), and predictions for the validation nets.

    `environment` is what these depend on besides what was given.
    """

    seconds: float
    parameters: int | None
    chosen: dict[str, Any]
    validation: list[float]
    cost: dict[str, float]
    environment: dict[str, Any]


class Fits:
    """The metanets that were fitted last, ready to predict."""

    def __init__(self, own: Mapping[str, Own] = MappingProxyType({})) -> None:
        self.own = own  # metanets that are objects of this process, by name
        self.metanet, self.fitted, self.streams = "", dict[int, Fitted](), dict[int, int]()
        self.layout: Layout = ()  # of the nets that they were fitted on
        self.hyper_parameters: list[str] | None = None  # those that are read, where they are
        self.found = dict[str, tuple[Metanet, tuple[str, str] | None]]()  # as they were at first, if files change meanwhile

    def describe(self, metanet: str) -> About:
        """What there is to say of it. Raises ValueError where there is no such metanet."""
        found, code = self._found(metanet)
        unnamed = HYPER_PARAMETERS if found.reads_hyper_parameters else None
        reads = found.reads if isinstance(found.reads, str) else unnamed
        recipe = dict(found.recipe)
        return About(found.version, found.baseline, found.trained_by_gradient, reads, found.input.whole, code, recipe)

    def fit(self, asked: Fitting) -> dict[int, Outcome]:
        """Fits each seed. Raises ValueError naming metanet and seed where the metanet makes a mistake, or is unable."""
        metanet, found = self._found(asked.metanet)[0], dict[int, Outcome]()
        self.metanet, self.fitted, self.layout = asked.metanet, {}, asked.train.layout
        self.streams = dict(zip(asked.seeds, asked.streams, strict=True))
        self.hyper_parameters = _hyper_parameters(metanet, asked.train)
        with named(asked.metanet, asked.seeds[0]):
            parts = (asked.train, asked.train_target), (asked.validation, asked.validation_target)
            train, validation = (_examples(metanet, part, target) for part, target in parts)
        if asked.moving is not None and metanet.trained_by_gradient:
            train = replace(train, moved=_moved(metanet, asked.moving, asked.train.pairs))
        chosen, device = asked.chosen, machine.ready(asked.training.device)
        if device.type == "cuda":
            torch.cuda.set_device(device)  # what a user's own code means by `cuda`
        environment, training = machine.environment(device), asked.training.following(metanet.recipe)
        counted: dict[str, float] = {}
        for seed in asked.seeds:
            begun = time.monotonic()
            with named(asked.metanet, seed), own_random_numbers(self.streams[seed]):
                fitted = metanet.fit(train, validation, training=training, seed=seed, chosen=chosen)
            seconds = time.monotonic() - begun
            chosen = fitted.chosen if chosen is None else chosen
            self.fitted[seed] = fitted
            begun = time.monotonic()
            predicted = self._predicted(seed, validation.features)
            cost = {"ms_per_net": 1000 * (time.monotonic() - begun) / len(predicted)}
            counted = self._counted(seed, validation.features) if not found else counted  # the same for all seeds
            cost |= counted
            found[seed] = Outcome(seconds, fitted.parameters, fitted.chosen, predicted, cost, environment)
        return found

    def predict(self, given: Given, seeds: list[int], *, elsewhere: bool = False) -> dict[int, list[float]]:
        """What these seeds predict for other nets. Raises ValueError naming metanet and seed where one cannot read them.

        Of nets of another zoo than it was fitted on (`elsewhere`) that is no mistake: the error is an UnableError. The
        reason may be that they have other trained entries.
        """
        with named(self.metanet, seeds[0], elsewhere=elsewhere):
            metanet = self._found(self.metanet)[0]
            self._check(metanet, given)
            read = features(metanet, given)
        return {seed: self._predicted(seed, read, elsewhere=elsewhere) for seed in seeds}

    def _check(self, metanet: Metanet, given: Given) -> None:
        """Raises UnableError where tensors are read by name, or hyper-parameters, and those fitted on were others."""
        fitted, found = ([entry.name for entry in one] for one in (self.layout, given.layout))
        if metanet.input.by_name and {*fitted} != {*found}:
            raise UnableError(
                f"it was fitted on nets of {len(fitted)} tensors and reads these by name, and these nets have {len(found)}, "
                f"not the same ({min({*fitted} ^ {*found})}); test it on nets of one architecture and depth, of any width"
            )
        if metanet.input.by_name and fitted != found:
            before, now = next(pair for pair in zip(fitted, found, strict=True) if len({*pair}) > 1)
            raise UnableError(
                f"it was fitted on nets of the same tensors in another order, with {before} where these nets have {now}; "
                "fit it on such nets"
            )
        if (known := _hyper_parameters(metanet, given)) != self.hyper_parameters:
            raise UnableError(f"these nets have the hyper-parameters {known}; it was fitted on {self.hyper_parameters}")

    def _found(self, name: str) -> tuple[Metanet, tuple[str, str] | None]:
        """The metanet of that name and its code."""
        plain, mark = canonical.split(name)
        if plain in self.own:
            metanet, code = self.own[plain]
            return metanet.reading(mark) if mark else metanet, code
        if name not in self.found:
            self.found[name] = find_metanet(name), code_of(name)
        return self.found[name]

    def _counted(self, seed: int, read: Batch) -> dict[str, float]:
        """The multiply-adds of a module."""
        module = self.fitted[seed].module
        with own_random_numbers(self.streams[seed]):
            count = None if module is None else multiply_adds(module, read)
        return {} if count is None else {"multiply_adds": count}

    def _predicted(self, seed: int, read: Batch, *, elsewhere: bool = False) -> list[float]:
        try:
            with mistakes_named(), own_random_numbers(self.streams[seed]):
                return [float(number) for number in self.fitted[seed].predict(read)]
        except MistakeError as error:
            some = elsewhere and not self._found(self.metanet)[0].input.whole
            advice = "; between zoos whose nets have other trained entries, --inputs all may do" * some
            kind = UnableError if elsewhere else ValueError
            raise kind(f"{self.metanet}, seed {seed}, cannot read these nets: {error}{advice}") from error


def _hyper_parameters(metanet: Metanet, given: Given) -> list[str] | None:
    """Those that the metanet reads of these nets, where it reads them."""
    if not metanet.reads_hyper_parameters or isinstance(given.read, Tensor):
        return None
    return names_read(given.read.hyper_parameters)


def features(metanet: Metanet, given: Given) -> Batch:
    """What the metanet reads of these nets, or what was kept of it. Raises MistakeError as a user's own input does.

    An input that draws at random draws the same for all nets, whichever split they are of.
    """
    with mistakes_named(), own_random_numbers(stable_seed("inputs")):
        read = given.read if isinstance(given.read, Tensor) else metanet.features(given.read)
        return read if given.pairs is None else metanet.input.of_pairs(read, given.pairs)


def _examples(metanet: Metanet, given: Given, target: np.ndarray) -> Examples:
    return Examples(features(metanet, given), target, given.layout if given.pairs is None else ())


@contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Random numbers of its own for whatever draws from torch's, numpy's or Python's global generator.

    So a metanet with random layers predicts the same whatever ran before, in however many processes.
    """
    before, of_python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)
            random.setstate(of_python)


def stream_of(seed: int, *names: object) -> int:
    """The seed of the random numbers of one fit, by a stable hash of the names."""
    return stable_seed("fit", seed, *names)


@contextmanager
def named(metanet: str, seed: int, *, elsewhere: bool = False) -> Iterator[None]:
    """Lets a mistake in a metanet be a ValueError that names the metanet and the seed; an UnableError stays one.

    Of nets of another zoo than it was fitted on (`elsewhere`), whatever it raises is one.
    """
    try:
        yield
    except MistakeError as error:
        kind = UnableError if elsewhere or isinstance(error, UnableError) else ValueError
        raise kind(f"{metanet}, seed {seed}: {error}") from error


def _moved(metanet: Metanet, given: Moving, pairs: Tensor | None = None) -> Callable[[torch.Generator], Batch]:
    """What is read of these training nets, or pairs of them, moved by random elements; all else is as it was given."""
    seen = slice(None) if given.nets.is_whole else given.nets.trained

    def move(rng: torch.Generator) -> Batch:
        moved = []
        for part in given.whole.split(MOVED_AT_ONCE):
            moved.append(act(part.float(), given.nets.layout, draw(given.group, len(part), rng))[:, seen])
        read = metanet.features(replace(given.nets, weights=torch.cat(moved)))
        return read if pairs is None else metanet.input.of_pairs(read, pairs)

    return move
