"""Fitting a torch module to a target: AdamW on the squared error; epoch and learning rate chosen on validation."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.metanet import Examples, Fitted, Training
from zoo.seeds import stream

PREDICTED_AT_ONCE = 128


def by_gradient(build: Callable[[int], nn.Module]) -> Callable[..., Fitted]:
    """A metanet's `fit` from its module; `build` gets the number of features."""

    def fit(
        train: Examples,
        validation: Examples,
        *,
        training: Training,
        seed: int,
        chosen: dict[str, Any] | None = None,
    ) -> Fitted:
        rates = training.learning_rates if chosen is None else (chosen["learning_rate"],)
        runs = [fit_module(build, train, validation, training=training, learning_rate=rate, seed=seed) for rate in rates]
        return max(runs, key=lambda run: run.chosen["validation_r2"])

    return fit


def fit_module(
    build: Callable[[int], nn.Module],
    train: Examples,
    validation: Examples,
    *,
    training: Training,
    learning_rate: float,
    seed: int,
) -> Fitted:
    """Trains one module with one learning rate; the parameters of the epoch with the best validation R² are kept.

    The seed determines the initial parameters and the order of the nets. Inputs and target are used as they are, as
    in the paper. An epoch whose validation R² is not finite is never chosen; if none is, predictions are NaN.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build(train.features.shape[1]).to(training.device)
    rng, moves = torch.Generator().manual_seed(seed), stream(seed, "permute")
    # fused: one pass over a parameter, its gradient and its moments, where the default makes ten
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=training.weight_decay, fused=True)
    target = torch.from_numpy(train.target).float().to(training.device)
    features, held = (part.features.to(training.device) for part in (train, validation))
    best, best_epoch, best_state = -np.inf, 0, None
    for epoch in range(1, training.epochs + 1):
        module.train()
        if train.permuted is not None:
            features = train.permuted(moves).to(training.device)
        for batch in torch.randperm(len(target), generator=rng).split(training.batch):
            if len(batch) == 1 and len(target) > 1:
                continue  # BatchNorm cannot learn from one net at one position
            optimizer.zero_grad()
            nn.functional.mse_loss(module(features[batch].float()), target[batch]).backward()
            optimizer.step()
        r2 = validation_r2(validation.target, predict(module, held))
        if r2 > best:
            best, best_epoch, best_state = r2, epoch, copy.deepcopy(module.state_dict())
    if best_state is None:
        for parameter in module.parameters():
            nn.init.constant_(parameter, float("nan"))
    else:
        module.load_state_dict(best_state)
    return Fitted(
        predict=lambda features: predict(module, features),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        chosen={"learning_rate": learning_rate, "epoch": best_epoch, "validation_r2": float(best)},
    )


@torch.no_grad()
def predict(module: nn.Module, features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
    """The module's predictions in evaluation mode."""
    module.eval()
    device = next(module.parameters()).device
    found = [module(part.to(device).float()) for part in features.split(PREDICTED_AT_ONCE)]
    return torch.cat(found).double().cpu().numpy()


def validation_r2(true: Float[np.ndarray, " net"], predicted: Float[np.ndarray, " net"]) -> float:
    """R² for choosing; the scorer has its own, with its edge cases."""
    return float(1 - np.sum((true - predicted) ** 2) / np.sum((true - true.mean()) ** 2))
