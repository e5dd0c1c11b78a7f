"""Metanets with scikit-learn's `fit` and `predict`: fitted on a zoo, saved, loaded, and used on new nets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float
from torch import Tensor

import zoo as zoos
from metanets import model_folder
from metanets.inputs.hyper_parameters import names_read
from metanets.metanet import Examples, Fitted, Metanet, Predict, Training
from metanets.mistakes import MistakeError, mistakes_named
from metanets.model_folder import FittedOn, Model
from metanets.own import metanet_of, own_name, source_of
from metanets.reading import nets_of
from metanets.table import METANETS, of_the_suite
from zoo import Nets, Zoo
from zoo.dataset.nets import Inputs
from zoo.hub.fetch import open_model
from zoo.messages import Facts, facts_html, facts_text, unknown
from zoo.nets.layout import shapes_in
from zoo.storage.files import hash_of
from zoo.training import machine

FEWEST = 2  # nets to fit on, and to choose on


class Estimator:
    """A metanet that is fitted on a zoo's training nets, chosen on its validation nets, and predicts for any nets like them.

    `metanet` is a name in METANETS, with a mark such as `+canonical` or without, or one's own: an `nn.Module` class, a
    regressor of scikit-learn's kind, a `Metanet`. It is fitted as `score` fits it with that seed, and predicts the same.
    `model` says what was fitted; None: nothing yet.
    """

    def __init__(
        self, metanet: Any, *, seed: int | np.integer = 0, training: Training = Training(), inputs: Inputs = "trained"
    ) -> None:
        if inputs not in (known := get_args(Inputs)):
            raise ValueError(unknown("inputs", str(inputs), known))
        if not isinstance(seed, int | np.integer) or not -(2**63) <= seed < 2**63:
            raise ValueError(f"seed: found {seed!r}, expected a whole number of 64 bits")
        self.given, self.seed, self.training, self.inputs = metanet, int(seed), training, inputs
        self.name = metanet if isinstance(metanet, str) else own_name(metanet)
        self.metanet = _metanet(metanet, self.name)
        self.model: Model | None = None
        self._predict: Predict | None = None
        self._tensors: Callable[[], dict[str, Tensor]] | None = None

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        if self.model is None:
            return f"Estimator {self.name}", {"fitted": "no; call fit(zoo)"}
        zoo = self.model.zoo
        return f"Estimator {self.name}", {
            "target": self.model.target,
            "fitted on": f"{zoo.name}-{zoo.manifest_sha256[:8]}, {zoo.train_nets:,} nets",
            "seed": str(self.model.seed),
            "chosen": ", ".join(f"{name} {value}" for name, value in self.model.chosen.items()),
            "parameters": "" if self.model.parameters is None else f"{self.model.parameters:,}",
        }

    def fit(self, zoo: Zoo | Path | str, target: str | None = None) -> "Estimator":
        """Fits it to a target of a zoo's nets, which may be given as a folder or an address.

        The target is by default `test_accuracy`, or the first that was measured.

        Diverged nets and those that lack the target are left out. How far a fit by gradient is, the logger `metazoo` tells
        at level INFO: `logging.basicConfig(level="INFO")` shows it. Raises ValueError where there is no such target, there
        are too few nets, or the metanet cannot read them.
        """
        made = _opened(zoo)
        target = target or made.headline or "test_accuracy"
        made.check_target(target)
        if self.training.augment:
            raise ValueError("an Estimator is fitted on nets as they are; to fit on moved ones, take `score`")
        with _named(self.name):
            train, validation = (self._examples(made, split, target) for split in ("train", "validation"))
            training = self.training.following(self.metanet.recipe)
            machine.ready(training.device)
            with mistakes_named():
                fitted = self.metanet.fit(train, validation, training=training, seed=self.seed)
        nets = len(train.target), len(validation.target)
        self.model = self._model(made, target, nets, training if self.metanet.trained_by_gradient else None, fitted)
        self._predict, self._tensors = fitted.predict, fitted.tensors
        return self

    def predict(self, nets: Nets | Zoo | Path | str) -> Float[np.ndarray, " net"]:
        """A number for each of the nets; of a zoo for each row of its `columns`, NaN for diverged nets.

        Raises ValueError where it is not fitted, or the nets are not of the layout that it was fitted on.
        """
        if self.model is None:
            raise ValueError(f"{self.name} is not fitted: call fit(zoo), or load it by load_model(folder)")
        if isinstance(nets, Nets):
            return self._of_nets(self.model, nets)
        made = _opened(nets)
        found = np.full(len(made), np.nan)
        for split in made.parts:
            part = nets_of(made, split, whole=self._whole, inputs=self.model.inputs, hidden=self.model.target)
            if len(part):
                found[part.index] = self._of_nets(self.model, part)
        return found

    def save(self, folder: Path | str) -> Path:
        """Keeps what was fitted in a new folder: `model.json` and `weights.safetensors`, which `load_model` reads.

        Raises ValueError by the metanet's name where it is not fitted, or there is more to it than tensors can hold, and
        FileExistsError where something stands there.
        """
        if self.model is None:
            raise ValueError(f"{self.name} is not fitted: call fit(zoo) before save")
        if self._tensors is None or self.metanet.restore is None:
            raise ValueError(
                f"{self.name} cannot be saved: what was fitted is no torch module, and nothing says how tensors hold it "
                "(regressors and gradient-boosted trees of scikit-learn have no public arrays for that)"
            )
        with _named(f"{self.name} cannot be saved"):
            tensors = self._tensors()
        folder = Path(folder).expanduser()
        model_folder.write(folder, self.model, tensors)
        return folder

    @property
    def reads(self) -> str | None:
        """The name of what it reads; None where that is an input of its own."""
        return self.metanet.reads if isinstance(self.metanet.reads, str) else None

    @property
    def _whole(self) -> bool:
        return self.metanet.input.whole

    def _examples(self, zoo: Zoo, split: str, target: str) -> Examples:
        nets = nets_of(zoo, split, whole=self._whole, inputs=self.inputs, hidden=target)
        values = zoo.columns[target].to_numpy(np.float64)[nets.index]
        kept = np.isfinite(values)
        if kept.sum() < FEWEST:
            raise ValueError(f"{zoo.folder}: {kept.sum()} nets in {split} have a {target}; fitting needs {FEWEST} or more")
        with mistakes_named():
            features = self.metanet.features(nets.only(kept))
        return Examples(features, values[kept], nets.layout)

    def _model(self, zoo: Zoo, target: str, nets: tuple[int, int], training: Training | None, fitted: Fitted) -> Model:
        with _named(self.name):
            chosen = _as_json(fitted.chosen)
        known = zoo.columns[zoo.hyper_parameters].drop(columns=target, errors="ignore")
        return Model(
            metanet=self.name,
            version=self.metanet.version,
            reads=self.reads,
            inputs=self.inputs,
            target=target,
            seed=self.seed,
            training=None if training is None else _as_json(asdict(training)),
            chosen=chosen,
            parameters=fitted.parameters,
            zoo=FittedOn(zoo.spec.name, zoo.spec.family, zoo.manifest_sha256, zoo.source, *nets),
            layout={name: [*shape] for name, shape in shapes_in(zoo.layout).items()},
            trained_sha256=hash_of(zoo.blueprint.trained.numpy().tobytes()),
            hyper_parameters=names_read(known) if self.metanet.reads_hyper_parameters else None,
            code_sha256=_code_of(self.given),
            metazoo=model_folder.installed(),
        )

    def _of_nets(self, model: Model, nets: Nets) -> Float[np.ndarray, " net"]:
        nets = replace(nets, hyper_parameters=nets.hyper_parameters.drop(columns=model.target, errors="ignore"))
        with _named(self.name):
            _check(model, nets, every=self._whole or model.inputs == "all")
            given = _entries(nets, every=self._whole or model.inputs == "all")
            if self._predict is None:  # it was loaded
                assert self.metanet.restore is not None
                assert self._tensors is not None
                self._predict = self.metanet.restore(self._tensors(), nets.layout)
            with mistakes_named():
                return np.asarray(self._predict(self.metanet.features(given)), np.float64)


def load_model(folder: Path | str, metanet: Any = None) -> Estimator:
    """The fitted metanet in a folder, or at `hf://USER/NAME` or `s3://...`, ready to predict.

    `metanet` is the class of one's own that was fitted; no code is named by the folder. Raises FileNotFoundError where
    there is no model, ValueError where it is damaged, of another version, or of a class that is not given or has changed;
    and as `zoo.hub.fetch.open_model` does where it is fetched.
    """
    folder = open_model(folder) if isinstance(folder, str) and "://" in folder else Path(folder).expanduser()
    model, tensors = model_folder.read(folder)
    if (metanet is None) == (of_the_suite(model.metanet) is None):
        told = (
            "no metanet of the suite: give its class as well (--metanet FILE.py:NAME)"
            if metanet is None
            else "one of the suite: give no other"
        )
        raise ValueError(f"{folder} is of {model.metanet}, which is {told}")
    found = Estimator(model.metanet if metanet is None else metanet, seed=model.seed, inputs=model.inputs)
    if metanet is not None and (_code_of(metanet), found.reads) != (model.code_sha256, model.reads):
        raise ValueError(
            f"{folder} is of {model.metanet}, fitted with other code than {found.name.rpartition(':')[2]} has now"
        )
    if found.metanet.version != model.version:
        raise ValueError(f"{folder} is of {model.metanet} version {model.version}; this release has {found.metanet.version}")
    if found.metanet.restore is None:
        raise ValueError(f"{folder}: {found.name} cannot be loaded: nothing says how tensors hold what it fits")
    found.model, found._tensors = model, lambda: tensors
    return found


def _metanet(given: Any, name: str) -> Metanet:
    if isinstance(given, Estimator) or (isinstance(given, type) and issubclass(given, Estimator)):
        raise ValueError(f"{name} is an Estimator already; give the metanet that it fits")
    if not isinstance(given, str):
        return metanet_of(given, name)
    if (found := of_the_suite(given)) is None:
        raise ValueError(unknown("metanet", given, METANETS) + "; your own: give its class")
    if found.input.only_pairs:
        raise ValueError(f"{given} reads pairs of nets; an Estimator is fitted on nets one by one")
    return found


def _opened(zoo: Any) -> Zoo:
    if not isinstance(zoo, Zoo | Path | str):
        raise ValueError(f"expected a zoo, its folder or its address, found a {type(zoo).__name__}")
    return zoo if isinstance(zoo, Zoo) else zoos.open(zoo)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Lets an error be one of the metanet of that name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _check(model: Model, nets: Nets, *, every: bool) -> None:
    """Raises ValueError where these nets are not like those that it was fitted on; `every`: it reads fixed entries too."""
    wanted, found = model.layout, {name: [*shape] for name, shape in shapes_in(nets.layout).items()}
    if other := next((name for name in [*wanted, *found] if wanted.get(name) != found.get(name)), None):
        raise ValueError(
            f"these nets are of another layout than those it was fitted on ({model.zoo.name}): {other} is "
            f"{found.get(other, 'missing')}, expected {wanted.get(other, 'none')}; fit it on such nets"
        )
    if [*wanted] != [*found]:
        raise ValueError(
            f"these nets have their tensors in another order than those of {model.zoo.name}, which it was fitted on; "
            "fit it on such nets"
        )
    if not every and hash_of(nets.trained.numpy().tobytes()) != model.trained_sha256:
        raise ValueError(
            f"these nets have other trained entries than those of {model.zoo.name}, which it was fitted on; "
            "fit it with inputs='all' to read fixed ones too"
        )
    known = None if model.hyper_parameters is None else names_read(nets.hyper_parameters)
    if known != model.hyper_parameters:
        raise ValueError(f"these nets have the hyper-parameters {known}; it was fitted on {model.hyper_parameters}")


def _entries(nets: Nets, *, every: bool) -> Nets:
    """The nets with every entry in memory, or with the trained ones alone."""
    if every or not nets.is_whole or bool(nets.trained.all()):
        return replace(nets, weights=nets.whole()) if every else nets
    return replace(nets, weights=nets.weights[:, nets.trained])


def _as_json(value: Any) -> Any:
    """The same for JSON, which has neither tuples, numpy's numbers nor numbers that are not finite."""
    if isinstance(value, dict):
        return {str(name): _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_as_json(inner) for inner in value]
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, str | int | float | None):
        raise MistakeError(f"what it chose has a {type(value).__name__}, which JSON has not; expected numbers and texts")
    return None if isinstance(value, float) and not isfinite(value) else value


def _code_of(given: Any) -> str | None:
    """The SHA-256 of the source of one's own class; None of the suite's, or where there is no source."""
    if isinstance(given, str | Metanet):
        return None
    source = source_of(given if isinstance(given, type) else type(given))
    return None if source is None else hash_of(source.encode())
