"""The predictions beside a record: a Parquet file of index, split, target and prediction, a row a net.

Of pairs of nets it has a row a pair, and `i` and `j` instead of `index`.
"""

import io
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from zoo.untrusted import parquet

PREDICTIONS_BYTES = 10**8  # at most, in a file
MOST_ROWS = 2_000_000  # what fits in PREDICTIONS_BYTES several times over
LONGEST_SPLIT = 100  # bytes of a split's name: more are no name
TEXTS = ("string", "large_string")
COLUMNS = {"index": ("int64",), "split": TEXTS, "target": ("double",), "prediction": ("double",)}
OF_PAIRS = {"i": ("int64",), "j": ("int64",), **{name: kinds for name, kinds in COLUMNS.items() if name != "index"}}


def keys(frame: Container[str]) -> list[str]:
    """The columns that tell an example from others: of nets, or of pairs."""
    return ["i", "j"] if "i" in frame else ["index"]


def to_parquet(frame: pd.DataFrame) -> bytes:
    """The bytes of the file of these predictions."""
    memory = io.BytesIO()
    frame.to_parquet(memory, index=False)
    return memory.getvalue()


def from_parquet(path: Path, data: bytes, counts: Mapping[str, int], *, pairs: bool = False) -> pd.DataFrame:
    """Predictions out of these bytes, the description of the file looked at first. Raises ValueError naming the file."""
    try:
        table = _table(path, data, counts, pairs=pairs)
        frame = table.to_pandas(ignore_metadata=True)
        as_told = table.to_pandas()  # what pandas.read_parquet gives, which heeds a note of pandas' in the file
    except Exception as error:  # Arrow has many, and on strange bytes others come through: none may stop the check
        raise ValueError(f"{path}: no file of predictions ({error})") from None
    if empty := [name for name in table.column_names if table.column(name).null_count]:
        raise ValueError(
            f"{path}: empty entries, as pandas writes NaN, in {', '.join(empty)}; expected a value for each net"
        )
    if not frame.equals(as_told):
        raise ValueError(f"{path}: no file of predictions (its note for pandas changes its content)")
    return frame


def _table(path: Path, data: bytes, counts: Mapping[str, int], *, pairs: bool) -> Any:
    """The file's table. Splits are read as codes of the few names that there are: a name repeated is not many names."""
    schema = parquet.opened(data, path).schema_arrow
    file = parquet.opened(data, path, read_dictionary=["split"])
    _check_description(schema, file.metadata, counts, pairs=pairs)
    parquet.check(data, path)
    table = file.read(use_threads=False)
    splits = table.column("split")
    names = pyarrow.chunked_array([chunk.dictionary for chunk in splits.chunks], splits.type.value_type)
    longest = pyarrow.compute.max(pyarrow.compute.binary_length(names)).as_py() or 0
    if longest > LONGEST_SPLIT:
        raise ValueError(f"a split's name of {longest:,} bytes")
    return table.set_column(table.column_names.index("split"), "split", splits.cast(schema.field("split").type))


def _check_description(schema: Any, about: Any, counts: Mapping[str, int], *, pairs: bool) -> None:
    """Raises ValueError where columns, rows or sizes are not those of these predictions, before any is read."""
    found = {field.name: str(field.type) for field in schema}
    known = OF_PAIRS if pairs else COLUMNS
    if list(found) != list(known) or any(found[name] not in kinds for name, kinds in known.items()):
        expected = {name: kinds[0] for name, kinds in known.items()}
        raise ValueError(f"columns {found}, expected {expected}")
    if about.num_rows != counts["validation"] + counts["test"] or about.num_rows > MOST_ROWS:
        raise ValueError(
            f"{about.num_rows:,} rows, expected one for each of {counts['validation']:,} validation and "
            f"{counts['test']:,} test nets, {MOST_ROWS:,} at most"
        )
    rows, size = parquet.counted(about)
    if rows != {about.num_rows}:
        raise ValueError(f"{about.num_rows:,} rows in all, but {max(rows):,} in its parts")
    if size > 2 * PREDICTIONS_BYTES:
        raise ValueError(f"{size:,} bytes when unpacked")
