"""`zoo.json` and `fixed.safetensors`: all that is needed to understand a zoo's shards, and to run its nets."""

import base64
import binascii
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from zoo.dataset import not_a_zoo
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import from_json, total
from zoo.spec import imported, moved
from zoo.spec.columns import HYPER_PARAMETERS
from zoo.spec.imported import Imported
from zoo.spec.moved import LINEAGE, Moved
from zoo.spec.spec import Spec, parse, to_json
from zoo.storage import files
from zoo.storage.shards import FORMAT
from zoo.untrusted.files import read_bytes
from zoo.untrusted.json import read_json
from zoo.untrusted.vetting.tensors import FIXED_BYTES

FILE, FIXED = "zoo.json", "fixed.safetensors"
DRAWN = {  # columns of zoos that are built here, before the targets
    "index": "number of the net in the zoo; net i of every family of a zoo has the same hyper-parameters and split",
    "seed": "the net's own seed, from (zoo seed, index)",
    **HYPER_PARAMETERS,
}
BUILT_DIVERGED = "a weight or a loss is not finite; the targets are NaN then"
INDEX = "number of the net in this zoo"
DIVERGED = "a weight is not finite, or the source says so; such nets are not scored"

TRAJECTORY_COLUMNS = {  # of zoos whose spec has a `trajectory`: the epochs of its checkpoints
    "trajectory": "[net, checkpoint, weight]: the weights after that many epochs; NaN where training ended before",
    "trajectory_*": "[net, checkpoint]: the target of that name, of those weights",
}


@dataclass(frozen=True)
class Description:
    """What zoo.json holds. `images_sha256` is the digest of the images that the nets were trained on.

    It is empty where they are not known. The number of nets is not part of it, so that an extended zoo is described by
    the same bytes. `moved`: its nets are moved copies of another zoo's, which has the same spec.
    """

    spec: Spec | Imported
    blueprint: Blueprint
    images_sha256: str
    moved: Moved | None = None

    @property
    def built(self) -> Spec:
        """The spec. Raises ValueError where the zoo is imported or of moved copies: nobody here can train it again."""
        if self.moved is not None:
            raise ValueError(f"{self.spec.name} here is a zoo of moved copies: build its source, and `metazoo move` that")
        if isinstance(self.spec, Imported):
            raise ValueError(
                f"{self.spec.name} is an imported zoo: it has no spec, so it cannot be built, resumed or extended"
            )
        return self.spec

    @property
    def columns(self) -> dict[str, str]:
        """What each column of its shards is."""
        points = TRAJECTORY_COLUMNS if self.spec.trajectory else {}
        if not isinstance(self.spec, Imported):
            lineage = {} if self.moved is None else {"lineage": LINEAGE}
            return DRAWN | self.spec.targets | {"diverged": BUILT_DIVERGED} | lineage | points
        named = self.spec.hyper_parameters | self.spec.targets | self.spec.columns
        return {"index": INDEX, **named, "diverged": DIVERGED} | points


def write(folder: Path, description: Description) -> None:
    """Writes both files."""
    shared = {"fixed": description.blueprint.fixed}
    for name, matrix in (description.blueprint.gate or {}).items():
        shared[f"{name}.F_mat"] = matrix
    files.write(folder / FIXED, safetensors.torch.save(shared), below=folder)
    text = {"text": list(description.spec.text)} if description.spec.text else {}
    value = {"format": FORMAT, "columns": description.columns, **text, **attributes_of(description)}
    files.write_json(folder / FILE, value, below=folder)


def attributes_of(description: Description) -> dict[str, Any]:
    """What stands both in zoo.json and in every shard's attributes, as JSON values."""
    spec = to_json(description.spec)
    if not isinstance(description.spec, Imported):
        del spec["nets"]
    return {
        _kind(description.spec): spec,
        **({} if description.moved is None else {"moved": asdict(description.moved)}),
        "images_sha256": description.images_sha256,
        "layout": [entry.to_json() for entry in description.blueprint.layout],
        "trained": _packed(description.blueprint.trained),
    }


def shard_attributes(description: Description) -> dict[str, str]:
    """The attributes of a shard: text as it is, all else as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes_of(description).items()
    }


def _kind(spec: Spec | Imported) -> str:
    return "imported" if isinstance(spec, Imported) else "spec"


def _packed(trained: torch.Tensor) -> str:
    """A mask as text: 8 entries a byte, first entry in the highest bit; then zlib, then base64."""
    return base64.b64encode(zlib.compress(np.packbits(trained.numpy()).tobytes(), 9)).decode()


def _unpacked(text: str, size: int) -> torch.Tensor:
    inflate = zlib.decompressobj()
    packed = inflate.decompress(base64.b64decode(text, validate=True), (size + 7) // 8)  # bounded: no bomb
    if len(packed) != (size + 7) // 8:
        raise IndexError(f"`trained` says it of {8 * len(packed):,} entries, expected {size:,}")
    return torch.from_numpy(np.unpackbits(np.frombuffer(packed, np.uint8), count=size).astype(bool))


def read(folder: Path, *, nets: int = 1) -> Description:
    """Reads both files; `nets` fills the spec's field that they leave out.

    Raises FileNotFoundError where the folder is no zoo, ValueError where a file is damaged or of another format.
    """
    not_a_zoo.check(folder)
    value = read_json(folder / FILE, below=folder)
    if value.get("format") != FORMAT:
        raise ValueError(f"{folder}: zoo format {value.get('format')!r}, this release reads {FORMAT!r}; rebuild the zoo")
    try:
        spec = _spec(value, folder, nets)
        layout = from_json(value["layout"])
        shared = safetensors.torch.load(read_bytes(folder / FIXED, FIXED_BYTES, below=folder))
        fixed = shared.pop("fixed")
        if fixed.shape != (total(layout),):  # before memory is taken for what the layout claims
            raise ValueError(f"{folder}: {FIXED} has {len(fixed)} fixed values for {total(layout)} weights")
        trained = _unpacked(value["trained"], len(fixed))
    except (KeyError, TypeError, IndexError, binascii.Error, zlib.error, SafetensorError) as error:
        raise ValueError(f"{folder}: {FILE} or {FIXED} is damaged: {type(error).__name__} {error}") from None
    gate = {name.removesuffix(".F_mat"): shared[name] for name in sorted(shared)} or None  # safetensors keeps no order
    if isinstance(spec, Imported):
        net = Blueprint(ARCHITECTURES.get(spec.architecture), layout, "", trained, fixed, gate)
    else:
        init = FAMILIES[spec.net.family].init if spec.net.init == "paper" else spec.net.init
        net = Blueprint(ARCHITECTURES[spec.net.architecture], layout, init, trained, fixed, gate)
    copies = moved.parse(value["moved"], str(folder / FILE)) if "moved" in value else None
    return Description(spec, net, str(value["images_sha256"]), copies)


def _spec(value: dict[str, Any], folder: Path, nets: int) -> Spec | Imported:
    if "imported" in value:
        return imported.parse(value["imported"], str(folder / FILE))
    return parse({**value["spec"], "nets": nets}, str(folder / FILE))
