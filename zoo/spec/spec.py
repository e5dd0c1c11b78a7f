"""What determines a zoo: the spec, and reading one by its built-in name or from a file, with overrides."""

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass

from zoo.booleans import no_booleans
from zoo.messages import Facts, choose, facts_html, facts_text, some_names, unknown
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.asymmetric import MASKS
from zoo.nets.families import FAMILIES
from zoo.spec.built_in import BASES
from zoo.spec.columns import BESIDE_HIDDEN, HIDDEN, HYPER_PARAMETERS, TARGETS
from zoo.spec.hidden import Hidden
from zoo.tasks.images import Images
from zoo.untrusted.texts import decoded

STRICT = ConfigDict(extra="forbid", strict=False, allow_inf_nan=False)
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Fixed = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class Net:
    """What is trained: the architecture, its family and width, and the family's constants."""

    architecture: str = "resnet8"
    family: str = "standard"
    width: Positive = 1.0  # multiplies the channels of every stage, or all hidden sizes
    init: Literal["paper", "kaiming_normal", "kaiming_uniform"] = "paper"  # paper: differs by family, a confound
    mask: str = "filters"  # W-asymmetric: which entries are fixed
    n_fix: Fixed | tuple[Fixed, ...] | None = None  # W-asymmetric: fixed for each output unit; None: see `mask_table`
    kappa: float | tuple[float, ...] = 2.0  # W-asymmetric: standard deviation of the fixed entries
    masks_sha256: str | None = None  # W-asymmetric: digest of (mask, F) given as files; None: drawn from the seed
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None  # mlp: units of the hidden layers; None: 32, 32
    norm: bool | None = None  # mlp: LayerNorm and GELU behind each hidden layer, instead of ReLU

    _numbers = no_booleans

    @field_validator("architecture", "family", "mask")
    @classmethod
    def _known(cls, name: str, info: Any) -> str:
        tables: dict[str, Any] = {"architecture": ARCHITECTURES, "family": FAMILIES, "mask": MASKS}
        choose(tables[info.field_name], name, info.field_name)
        return name

    @model_validator(mode="after")
    def _wide_enough(self) -> "Net":
        if self.architecture == "resnet8" and self.width * FAMILIES[self.family].width < 1 / 16:
            raise ValueError(f"width {self.width} leaves a stage without channels; the smallest is 1/16 = 0.0625")
        return self

    @model_validator(mode="after")
    def _fields_of_the_architecture(self) -> "Net":
        fields = {field for kind in ARCHITECTURES.values() for field in kind.fields}
        for field in fields - {*ARCHITECTURES[self.architecture].fields}:
            if getattr(self, field) is not None:
                raise ValueError(f"{self.architecture} nets have no {field}")
        return self


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """How each net is trained. Ranges (low, high) are drawn from once a net; defaults are the paper's."""

    learning_rate: tuple[Positive, Positive] = (0.005, 0.5)  # peak of the triangle; log-uniform
    weight_decay: tuple[Positive, Positive] = (1e-5, 0.1)  # AdamW's; log-uniform
    label_smoothing: tuple[float, float] = (0.0, 0.2)  # uniform
    epochs: tuple[Count, Count] = (10, 40)  # whole numbers, both ends included
    peak_epoch: Positive = 5  # epochs until the learning rate peaks
    batch: Count = 512  # images a step; the last partial batch of an epoch is dropped
    flip: bool = True  # left and right, half of the time
    shift: Annotated[int, Field(ge=0)] = 2  # pixels at most, in both directions
    cutout: Annotated[int, Field(ge=0)] = 4  # side in pixels of the square that is blanked
    hidden: Hidden = Hidden()  # axes that are no hyper-parameters: columns and targets that no metanet is told

    _numbers = no_booleans

    @field_validator("learning_rate", "weight_decay", "label_smoothing", "epochs")
    @classmethod
    def _ordered(cls, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        if ends[0] > ends[1]:
            raise ValueError(f"a range is (low, high), found {ends}")
        return ends

    @field_validator("label_smoothing")
    @classmethod
    def _share(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if ends[0] < 0 or ends[1] >= 1:
            raise ValueError(f"label smoothing lies in [0, 1), found {ends}")
        return ends


@dataclass(frozen=True, config=STRICT)
class Spec:
    """Everything that determines a zoo, and nothing else: equal specs give equal bytes on one machine and versions."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    images: Images = Images()
    net: Net = Net()
    recipe: Recipe = Recipe()
    nets: Count = 10_000
    seed: Annotated[int, Field(ge=0)] = 0  # of hyper-parameters, splits, masks, and every net's own stream
    split: tuple[Positive, Positive, Positive] = (0.5, 0.25, 0.25)  # train, validation, test; by hash of the net index
    dtype: Literal["float32", "float16"] = "float32"  # of the stored weights
    precision: Literal["float32", "bfloat16"] = "float32"  # of products in training, at least; bfloat16 where it is faster
    trajectory: tuple[Annotated[int, Field(ge=0)], ...] = ()  # epochs after which weights are kept too; 0: the initial ones

    _numbers = no_booleans

    @property
    def family(self) -> str:
        """The nets' family."""
        return self.net.family

    @property
    def architecture(self) -> str:
        """The architecture's name, without the width."""
        return self.net.architecture

    @property
    def image_task(self) -> str:
        """What the nets classify."""
        return self.images.task

    @property
    def architecture_text(self) -> str:
        """The architecture in words."""
        hidden = f" of {'-'.join(map(str, self.net.hidden))} hidden units" if self.net.hidden else ""
        return f"{self.net.architecture}{hidden}, width {self.net.width:g}"

    @property
    def hyper_parameters(self) -> dict[str, str]:
        """Column -> what it is."""
        return HYPER_PARAMETERS

    @property
    def targets(self) -> dict[str, str]:
        """Column -> what it is, as measured; the hidden axes are among them."""
        hidden = {axis: HIDDEN[axis] for axis in self.recipe.hidden.axes}
        return TARGETS | BESIDE_HIDDEN | hidden if hidden else TARGETS

    @property
    def text(self) -> tuple[str, ...]:
        """Columns of words: none."""
        return ()

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        return f"Spec {self.name}: {self.nets:,} {self.family} nets, {self.architecture_text}, on {self.image_task}", {
            "images": _chosen(self.images),
            "net": _chosen(self.net),
            "recipe": _chosen(self.recipe),
            "seed": str(self.seed),
            "split": ", ".join(f"{share:g}" for share in self.split),
            "stored as": self.dtype,
            "precision": f"{self.precision} in training",
            "trajectory": some_names(self.trajectory),
        }

    @field_validator("trajectory")
    @classmethod
    def _rising(cls, epochs: tuple[int, ...]) -> tuple[int, ...]:
        if list(epochs) != sorted(set(epochs)):
            raise ValueError(f"the epochs of a trajectory rise, found {epochs}")
        return epochs

    @field_validator("split")
    @classmethod
    def _whole(cls, split: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(split) - 1) > 1e-9:
            raise ValueError(f"the shares of train, validation and test add up to 1, found {sum(split):g}")
        return split


def _chosen(part: Images | Net | Recipe) -> str:
    """The fields of a part of a spec that are not the defaults."""
    fields = [field for field in dataclasses.fields(part) if getattr(part, field.name) != field.default]
    return ", ".join(f"{field.name} {getattr(part, field.name)}" for field in fields) or "the defaults"


LATER = ("hidden", "norm")  # fields of Net that older zoos do not name, and newer ones only where they have a value;
# so it is with Recipe's hidden axes
SPECS = {
    f"{base}-{kind}-{family}": (kind, base, family) for kind, bases in BASES.items() for base in bases for family in FAMILIES
}


def built_in(name: str) -> dict[str, Any]:
    """The fields of a built-in spec, such as `digits-resnet8-standard`. Raises ValueError with the nearest names."""
    kind, base, family = choose(SPECS, name, "spec")
    fields = BASES[kind][base]
    net = {"architecture": kind, **fields.get("net", {}), "family": family}
    return {"precision": "bfloat16", **fields, "name": name, "net": net}


def load(source: str | Path, overrides: dict[str, Any] | None = None) -> Spec:
    """The spec of that built-in name, or of that TOML or JSON file, with `overrides` such as {"net.width": 0.5}.

    Raises ValueError naming every wrong field with the accepted ones, FileNotFoundError where a file is missing.
    """
    path, source = Path(source).expanduser(), str(source)
    if path.suffix in (".toml", ".json"):
        fields = _read(path)
        fields.setdefault("name", path.stem)
    else:
        fields = built_in(source)
    for field, value in (overrides or {}).items():
        _set(fields, field, value)
    return parse(fields, source)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = decoded(path, path.read_bytes()).replace("\r\n", "\n")
        fields = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not readable as {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{path}: a spec is a table of fields, found {type(fields).__name__}")
    if "base" in fields:
        fields = _merged(built_in(str(fields.pop("base"))), fields)
    return fields


def _merged(base: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """`base` with `fields` put over it, one level deep in its tables."""
    both = {key: {**base[key], **fields[key]} for key in fields if isinstance(fields[key], dict) and key in base}
    return {**base, **fields, **both}


def _set(fields: dict[str, Any], field: str, value: Any) -> None:
    *parents, last = field.split(".")
    for parent in parents:
        table = fields.get(parent, {})
        if not isinstance(table, dict):
            raise ValueError(f"spec: {parent} is a value, not a table, so there is no {field}")
        fields[parent] = dict(table)
        fields = fields[parent]
    fields[last] = value


def parse(fields: dict[str, Any], source: str = "spec") -> Spec:
    """A checked Spec of nested dicts. Raises ValueError naming every wrong field with the accepted ones."""
    try:
        return TypeAdapter(Spec).validate_python(fields)
    except ValidationError as error:
        lines = [_explain(dict(problem)) for problem in error.errors()]
        raise ValueError("\n  ".join([f"{source}: the spec has {len(lines)} wrong field(s)", *lines])) from None


def _explain(problem: dict[str, Any]) -> str:
    where = [str(part) for part in problem["loc"]]
    field = ".".join(where)
    if problem["type"] == "unexpected_keyword_argument":
        tables = {"images": Images, "net": Net, "recipe": Recipe, "recipe.hidden": Hidden}
        table: Any = tables.get(".".join(where[:-1]), Spec)
        return f"{field}: {unknown('field', where[-1], [f.name for f in dataclasses.fields(table)])}"
    return f"{field}: {problem['msg'].removeprefix('Value error, ')}; found {problem['input']!r}"


def to_json(spec: Any) -> dict[str, Any]:
    """A spec, or what is known of an imported zoo, as nested dicts of JSON values; `parse` turns them back."""
    value = json.loads(json.dumps(dataclasses.asdict(spec)))
    if "net" in value:
        value["net"] = {name: found for name, found in value["net"].items() if name not in LATER or found is not None}
    if "recipe" in value:
        axes = {axis: ends for axis, ends in value["recipe"].pop("hidden").items() if ends is not None}
        value["recipe"] |= {"hidden": axes} if axes else {}
    return value
