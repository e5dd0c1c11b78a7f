"""The type that each column of a shard must have: what this package writes there, and readers go by."""

from collections.abc import Callable
from pathlib import Path

from h5py import h5t

NUMBERS = {
    "float16": h5t.IEEE_F16LE,
    "float32": h5t.IEEE_F32LE,
    "float64": h5t.IEEE_F64LE,
    "int8": h5t.STD_I8LE,
    "int16": h5t.STD_I16LE,
    "int32": h5t.STD_I32LE,
    "int64": h5t.STD_I64LE,
    "uint8": h5t.STD_U8LE,
    "uint16": h5t.STD_U16LE,
    "uint32": h5t.STD_U32LE,
    "uint64": h5t.STD_U64LE,
}
COLUMNS = {
    "index": "int64",
    "diverged": "bool",
    "weights": "float16 or float32",
    "trajectory": "float16 or float32",
}
BUILT = {  # of zoos with a spec: what is drawn by it is compared with these
    "seed": "int64",
    "lineage": "int64",
    "epochs": "int64",
    "learning_rate": "float64",
    "weight_decay": "float64",
    "label_smoothing": "float64",
    "wrong_labels": "float64",
    "training_images": "int64",
    "corrupted_images": "float64",
    "imbalance": "float64",
}
CURVE, OTHER, WORDS = "float16, float32 or float64", "numbers or bool", "utf-8 text"


def check_type(path: Path, name: str, found: h5t.TypeID, *, is_text: bool, is_built: bool) -> None:
    """Raises ValueError naming the column where its type is another. `is_text`: zoo.json says that it holds words."""
    other = WORDS if is_text else CURVE if name.startswith("trajectory_") else OTHER
    expected = (COLUMNS | BUILT if is_built else COLUMNS).get(name, other)
    if not ALLOWED[expected](found):
        hint = "; words only where zoo.json names the column in `text`" if isinstance(found, h5t.TypeStringID) else ""
        raise ValueError(
            f"{path}: column {name} has a type ({kind_of(found)}) that is not allowed; expected {expected}{hint}"
        )


def _number(*names: str) -> Callable[[h5t.TypeID], bool]:
    return lambda found: any(found.equal(NUMBERS[name]) for name in names)


def _is_bool(found: h5t.TypeID) -> bool:
    """Whether it is a bool as h5py writes it: an enumeration of two names."""
    if not isinstance(found, h5t.TypeEnumID) or found.get_nmembers() != 2 or not found.get_super().equal(h5t.STD_I8LE):
        return False
    members = {found.get_member_name(number): found.get_member_value(number) for number in range(2)}
    return members == {b"FALSE": 0, b"TRUE": 1}


def _is_words(found: h5t.TypeID) -> bool:
    return isinstance(found, h5t.TypeStringID) and found.is_variable_str() and found.get_cset() == h5t.CSET_UTF8


def kind_of(found: h5t.TypeID) -> str:
    """What the type is, in a word."""
    known = (name for name, number in NUMBERS.items() if found.equal(number))
    return next(known, "bool" if _is_bool(found) else type(found).__name__.removeprefix("Type").removesuffix("ID").lower())


ALLOWED: dict[str, Callable[[h5t.TypeID], bool]] = {
    "int64": _number("int64"),
    "float64": _number("float64"),
    "float16 or float32": _number("float16", "float32"),
    CURVE: _number("float16", "float32", "float64"),
    OTHER: lambda found: _number(*NUMBERS)(found) or _is_bool(found),
    "bool": _is_bool,
    WORDS: _is_words,
}
