"""Fitting a torch module to a target: AdamW on the squared error; epoch and learning rate chosen on validation."""

import copy
import functools
import inspect
import logging
from collections.abc import Callable
from functools import partial
from math import cos, pi
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.inputs import batch as batches
from metanets.inputs.batch import Batch
from metanets.inputs.unable import MistakeError, UnableError
from metanets.metanet import Examples, Fit, Fitted, Predict, Training
from metanets.mistakes import mistakes_named
from zoo.nets.layout import Layout
from zoo.seeds import stream

PREDICTED_AT_ONCE = 128
LOG = logging.getLogger("metazoo")  # says at level INFO how far a fit is, which may take minutes


def seeded(fit: Callable[..., Fitted]) -> Callable[..., Fitted]:
    """Lets what torch draws while this fits follow from its `seed` alone."""

    @functools.wraps(fit)
    def fitted(*examples: Any, seed: int, **options: Any) -> Fitted:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return fit(*examples, seed=seed, **options)

    return fitted


def by_gradient(build: Callable[..., nn.Module]) -> Fit:
    """A metanet's `fit` from its module, which is built as `built` says.

    It is built and predicts for two nets before any fit. Raises MistakeError where that, or training it, fails.
    """

    def fit(
        train: Examples,
        validation: Examples,
        *,
        training: Training,
        seed: int,
        chosen: dict[str, Any] | None = None,
    ) -> Fitted:
        rates = training.learning_rates if chosen is None else (chosen["learning_rate"],)
        with mistakes_named():
            rehearse(build, train, device=training.device, seed=seed)
            runs = [fit_module(build, train, validation, training=training, learning_rate=rate, seed=seed) for rate in rates]
        return max(runs, key=lambda run: run.chosen["validation_r2"])

    return Fit(fit, partial(restored, build))


def built(build: Callable[..., nn.Module], examples: Examples, *, seed: int) -> nn.Module:
    """The module with the seed's initial parameters.

    Of the constructor's parameters without a default, one called `layout` gets the layout of the nets, and any other
    single one the number of inputs a net. Raises MistakeError where there are more, UnableError where pairs have no layout.
    """
    needed = [
        parameter.name
        for parameter in inspect.signature(build).parameters.values()
        if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    others = [name for name in needed if name != "layout"]
    if len(others) > 1:
        raise MistakeError(
            f"its constructor needs {', '.join(needed)}; expected `layout`, or a single parameter, which gets the number of "
            f"inputs; give the others a default"
        )
    if "layout" in needed and not examples.layout:
        raise UnableError("its constructor asks for the layout of a net, but what it is given are pairs of nets")
    given: dict[str, Any] = {"layout": examples.layout} if "layout" in needed else {}
    given |= {name: batches.numbers(examples.features) for name in others}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(**given)


@torch.no_grad()
def rehearse(build: Callable[..., nn.Module], examples: Examples, *, device: str, seed: int) -> None:
    """Builds the module and lets it predict for two nets, so that what is wrong with it shows before any fit."""
    module = built(build, examples, seed=seed).to(device).eval()
    two = torch.arange(batches.length(examples.features))[:2]
    with torch.random.fork_rng(devices=[]):
        checked(module(_inputs(examples.features, two, device)), len(two))


def checked(predicted: Any, nets: int) -> Float[Tensor, " net"]:
    """The predictions. Raises MistakeError where they are not one number a net: [net, 1] would be broadcast."""
    if not isinstance(predicted, Tensor):
        raise MistakeError(f"forward returned a {type(predicted).__name__}; expected a Tensor of one number a net")
    if predicted.shape != (nets,):
        hint = "; `.squeeze(-1)` makes it so" if predicted.shape == (nets, 1) else ""
        raise MistakeError(f"forward returned shape {[*predicted.shape]} for {nets} nets; expected [{nets}]{hint}")
    return predicted


@seeded
def fit_module(
    build: Callable[..., nn.Module],
    train: Examples,
    validation: Examples,
    *,
    training: Training,
    learning_rate: float,
    seed: int,
) -> Fitted:
    """Trains one module with one learning rate; the parameters of the epoch with the best validation R² are kept.

    The seed determines the initial parameters, the order of the nets, and what torch draws meanwhile, such as dropout; so a
    rate alone trains as it does among others. Inputs are used as they are, and so is the target
    unless `training` says otherwise, as in the paper. An epoch whose validation R² is not finite is never chosen; if none
    is, predictions are NaN.
    """
    module = built(build, train, seed=seed).to(training.device)
    rng, moves = torch.Generator().manual_seed(seed), stream(seed, "permute")
    # fused: one pass over a parameter, its gradient and its moments, where the default makes ten
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=training.weight_decay, fused=True)
    centre, spread = _standard(train.target) if training.standardise else (0.0, 1.0)
    whole = InUnits(module, centre, spread) if training.standardise else module
    target = torch.from_numpy((train.target - centre) / spread).float().to(training.device)
    features, held = (batches.to(part.features, training.device) for part in (train, validation))
    best, best_epoch, best_state = -np.inf, 0, None
    for epoch in range(1, training.epochs + 1):
        module.train()
        if train.moved is not None:
            features = batches.to(train.moved(moves), training.device)
        nets = torch.randperm(len(target), generator=rng).split(training.batch)
        for number, batch in enumerate(nets, start=1):
            if len(batch) == 1 and len(target) > 1:
                continue  # BatchNorm cannot learn from one net at one position
            optimizer.param_groups[0]["lr"] = learning_rate * share_of_rate(
                (epoch - 1 + (number - 0.5) / len(nets)) / training.epochs, training
            )
            optimizer.zero_grad()
            predicted = checked(module(_inputs(features, batch, training.device)), len(batch))
            nn.functional.mse_loss(predicted, target[batch]).backward()
            if training.clip is not None:
                nn.utils.clip_grad_norm_(module.parameters(), training.clip)
            optimizer.step()
        r2 = validation_r2(validation.target, predict(whole, held))
        LOG.info("learning rate %g, epoch %d of %d: R² %.3f on validation", learning_rate, epoch, training.epochs, r2)
        if r2 > best:
            best, best_epoch, best_state = r2, epoch, copy.deepcopy(module.state_dict())
        elif training.patience is not None and epoch - best_epoch >= training.patience:
            break
    if best_state is None:
        for parameter in module.parameters():
            nn.init.constant_(parameter, float("nan"))
    else:
        module.load_state_dict(best_state)
    return Fitted(
        predict=lambda features: predict(whole, features),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        chosen={"learning_rate": learning_rate, "epoch": best_epoch, "validation_r2": float(best)},
        module=whole,
        tensors=lambda: tensors_of(whole),
    )


class InUnits(nn.Module):
    """A module that was trained on the standardised target, with predictions in the target's own units."""

    def __init__(self, module: nn.Module, centre: float, spread: float) -> None:
        super().__init__()
        self.module, self.centre, self.spread = module, centre, spread

    def forward(self, batch: Batch) -> Float[Tensor, " net"]:
        """The module's predictions, times the target's deviation, plus its mean."""
        return self.centre + self.spread * self.module(batch)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """A trained module's state by name. Raises ValueError where there is more to it than tensors."""
    inner = module.module if isinstance(module, InUnits) else module
    state: dict[str, Any] = inner.state_dict()
    if other := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise ValueError(f"its state_dict has {other[0]}, which is no tensor")
    found = {f"module.{name}": value.detach().cpu().contiguous().clone() for name, value in state.items()}
    if isinstance(module, InUnits):
        found["units"] = torch.tensor([module.centre, module.spread], dtype=torch.float64)
    return found


def restored(build: Callable[..., nn.Module], tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts as the module did that had these tensors. It is built once it is seen what it reads.

    So no size is taken from a file: the module is as large as these nets ask for, and the tensors must fit it. Raises
    ValueError, then, where they do not.
    """
    known: list[nn.Module] = []

    def again(features: Batch) -> Float[np.ndarray, " net"]:
        if not known:
            with mistakes_named():
                module = built(build, Examples(features, np.empty(0), layout), seed=0)
            known.append(_filled(module, tensors))
        return predict(known[0], features)

    return again


def _filled(module: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    state = {name.removeprefix("module."): value for name, value in tensors.items() if name.startswith("module.")}
    wanted = {name: (value.shape, value.dtype) for name, value in module.state_dict().items()}
    if wrong := {name: (value.shape, value.dtype) for name, value in state.items()}.items() ^ wanted.items():
        raise MistakeError(f"its tensors are not those of the module for these nets: {min(wrong, key=str)[0]} differs")
    module.load_state_dict(state)
    if "units" not in tensors:
        return module
    units = tensors["units"]
    if units.shape != (2,) or units.dtype != torch.float64:
        raise MistakeError(f"`units` is {units.dtype} of shape {[*units.shape]}; expected two numbers in float64")
    return InUnits(module, *units.tolist())


def share_of_rate(done: float, training: Training) -> float:
    """The share of the learning rate in a step at the end of which this share of all steps is done.

    It rises in proportion over the warm-up (Goyal et al. 2017, arXiv 1706.02677, section 2.2); then it stays, or falls to 0
    along half a period of the cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5, without restarts).
    """
    if done < training.warm_up:
        return done / training.warm_up
    if training.schedule == "constant":
        return 1.0
    return (1 + cos(pi * (done - training.warm_up) / (1 - training.warm_up))) / 2 if training.warm_up < 1 else 1.0


def _standard(target: Float[np.ndarray, " net"]) -> tuple[float, float]:
    """Mean and deviation; 1 for a target that is all equal."""
    return float(target.mean()), float(target.std()) or 1.0


def _inputs(features: Batch, chosen: Tensor, device: torch.device | str) -> Batch:
    return batches.floats(batches.to(batches.rows(features, chosen), device))


@torch.no_grad()
def predict(module: nn.Module, features: Batch, *, kind: torch.dtype = torch.float32) -> Float[np.ndarray, " net"]:
    """The module's predictions in evaluation mode, from features of this type; its parameters must be of it too.

    Raises MistakeError where they are not one number a net.
    """
    module.eval()
    device = next(module.parameters()).device
    with mistakes_named():
        found = [
            checked(module(batches.floats(batches.to(part, device), kind)), batches.length(part))
            for part in batches.parts(features, PREDICTED_AT_ONCE)
        ]
    return torch.cat(found).double().cpu().numpy()


def validation_r2(true: Float[np.ndarray, " net"], predicted: Float[np.ndarray, " net"]) -> float:
    """R² for choosing; the scorer has its own, with its edge cases."""
    return float(1 - np.sum((true - predicted) ** 2) / np.sum((true - true.mean()) ** 2))
