"""The folder of a fitted metanet: what it is as `model.json`, all that it learnt as `weights.safetensors`; no pickle.

It may come from others: sizes are bounded, JSON is strict, tensors are read off a checked header, no link is followed.
"""

import os
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import safetensors.torch
from pydantic import ConfigDict, Field, JsonValue, TypeAdapter
from pydantic.dataclasses import dataclass
from torch import Tensor

from zoo.dataset.nets import Inputs
from zoo.hub.remote_manifest import MODEL, MODEL_BYTES
from zoo.storage import files
from zoo.untrusted import readers
from zoo.untrusted.files import sha256, size
from zoo.untrusted.json import read_json
from zoo.untrusted.schema import validated

SCHEMA: Literal["metazoo-model-1"] = "metazoo-model-1"
FILE, WEIGHTS = MODEL
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Count = Annotated[int, Field(ge=0)]
TensorName = Annotated[str, Field(min_length=1, max_length=1000)]  # as long as one in a zoo may be
Shape = Annotated[list[Annotated[int, Field(ge=0, lt=2**40)]], Field(max_length=8)]  # as `zoo.untrusted` bounds it


@dataclass(frozen=True, config=STRICT)
class FittedOn:
    """The zoo that a metanet was fitted on, as records name zoos; and how many nets of it."""

    name: Line
    family: Line
    manifest_sha256: Sha256
    source: Annotated[str, Field(max_length=500)] | None
    train_nets: Count
    validation_nets: Count


@dataclass(frozen=True, config=STRICT)
class Model:
    """What a fitted metanet is: which, of which version, fitted to which target with which seed and settings.

    `layout` has the shape of each tensor of the nets that it reads, in order, and `trained_sha256` tells which of their
    entries were trained. `hyper_parameters` are named where it reads them, `NAME = WORD` each word of one that has words.
    `code_sha256` is of the source of a user's own class, and not of its file, which records name.
    """

    metanet: Line
    version: Count
    reads: Line | None
    inputs: Inputs
    target: Line
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    training: dict[str, JsonValue] | None
    chosen: dict[str, JsonValue]
    parameters: Count | None
    zoo: FittedOn
    layout: dict[TensorName, Shape]
    trained_sha256: Sha256
    hyper_parameters: list[Annotated[str, Field(min_length=1)]] | None
    code_sha256: Sha256 | None
    metazoo: Line | None
    weights_sha256: Sha256 = "0" * 64  # of the file beside it
    schema: Literal["metazoo-model-1"] = SCHEMA


_MODEL = TypeAdapter(Model).validate_json


def installed() -> str | None:
    """The version of metazoo that is installed; None where none is."""
    try:
        return version("metazoo")
    except PackageNotFoundError:
        return None


def write(folder: Path, model: Model, tensors: dict[str, Tensor]) -> None:
    """Writes a new folder, `model.json` last. Raises FileExistsError where something stands there already."""
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty; save the model in a new folder")
    data = safetensors.torch.save(tensors)
    files.write(folder / WEIGHTS, data, below=folder)
    about = {"schema": SCHEMA, **asdict(model), "weights_sha256": files.hash_of(data)}
    files.write_json(folder / FILE, about, below=folder)


def is_model(folder: Path) -> bool:
    """Whether the folder is one of a fitted metanet, by its name for itself; whether it is sound `read` says."""
    return os.path.lexists(folder / FILE)


def read(folder: Path) -> tuple[Model, dict[str, Tensor]]:
    """A model and its tensors. Raises FileNotFoundError where there is none, ValueError where it is damaged or no model."""
    if not folder.is_dir() or not is_model(folder):
        raise FileNotFoundError(f"{folder} is no fitted metanet: there is no {folder / FILE}; save one by Estimator.save")
    told = read_json(folder / FILE, below=folder)
    if told.get("schema") != SCHEMA:
        raise ValueError(f"{folder / FILE}: schema {told.get('schema')!r}; this version reads {SCHEMA}")
    model = validated(folder / FILE, _MODEL, told)
    path = folder / WEIGHTS
    if (held := size(path, below=folder)) > MODEL_BYTES:
        raise ValueError(f"{path} has {held:,} bytes; a model has {MODEL_BYTES:,} at most")
    if sha256(path, folder) != model.weights_sha256:
        raise ValueError(f"{path} is damaged: its SHA-256 is not that in {FILE}")
    return model, readers.safetensors(path)
