"""What is published of zoos: one folder tree with a card, an index, pictures and checksums, as a function of the zoos.

README.md            the card, with the front matter that `datasets.load_dataset` reads
zoo.json             the configs: one a zoo
index.parquet        a row a net with every scalar column, beside `config` and `split`; no weights
croissant.json       the same for machines
pictures/*.png       how targets are distributed
CONFIG/...           a zoo's own folder, less what is of use only where it was built
CONFIG/derived/*     the columns that analyses added to this very zoo; the zoo's own manifest does not name them
MANIFEST.sha256      checks with `sha256sum -c`; of every other file
"""

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from zoo.dataset import derived, not_a_zoo
from zoo.dataset.not_a_zoo import RELEASE
from zoo.dataset.reader import Zoo, open
from zoo.hub.card import card, columns
from zoo.hub.citation import About
from zoo.hub.croissant import INDEX, croissant
from zoo.hub.pictures import pictures, png
from zoo.hub.store import Kind
from zoo.spec.columns import SPLITS
from zoo.storage import files
from zoo.storage.manifest import MANIFEST, check_bytes, read_manifest

CARD, CROISSANT = "README.md", "croissant.json"
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}(?<!\.)")  # of a path: what every hub, store and file system takes
PER_FOLDER = 10_000  # the hub's limit


@dataclass(frozen=True)
class Release:
    """The files of a release by path: where one lies, or its bytes; with the SHA-256 and size in bytes of each."""

    files: dict[str, Path | bytes]
    digests: dict[str, str]
    sizes: dict[str, int]
    kind: Kind = "dataset"


def release(
    folders: Sequence[Path | str],
    *,
    name: str,
    licence: str | None = None,
    scores: str = "",
    authors: str = "",
    repository: str = "USER/NAME",
    url: str | None = None,
    date: str | None = None,
    version: str | None = None,
) -> Release:
    """The release of the zoos in these folders; every byte of theirs is hashed, and nothing is written.

    Derived columns of another zoo, as `Zoo.left_aside` names them, are no part of it.

    `licence` and `authors` are those of `citation.About`; not given, they are `cc-by-4.0` and nobody, and `unknown` where a
    zoo is imported. `scores` is Markdown for the card, such as a leaderboard's table; `repository` is the hub's id, which
    the card's code loads; `date` (YYYY-MM-DD) and `version` (1.0.0) are stated if given. Equal zoos and arguments give equal
    bytes, by the same versions of pyarrow and matplotlib. Raises FileNotFoundError where a folder holds no finished zoo,
    ValueError where a zoo's bytes are not its manifest's or two zoos cannot stand side by side.
    """
    if not folders:
        raise ValueError("a release has one zoo at least; found none")
    about = About(name, licence, authors=authors, repository=repository, url=url, date=date, version=version)
    zoos = _named([_whole(Path(folder).expanduser()) for folder in folders])
    made: dict[str, Path | bytes] = {}
    digests: dict[str, str] = {}
    for config, zoo in zoos.items():
        for path, digest in {**read_manifest(zoo.folder), MANIFEST: zoo.manifest_sha256}.items():
            made[f"{config}/{path}"], digests[f"{config}/{path}"] = zoo.folder / path, digest
        for one in zoo.derived.values():
            path = f"{config}/{derived.FOLDER}/{one.path.name}"
            made[path], digests[path] = one.path, one.sha256
    own = _own(zoos, about, scores)
    made |= own
    digests |= {path: files.hash_of(data) for path, data in own.items()}
    manifest = "".join(f"{digests[path]}  {path}\n" for path in sorted(made)).encode()
    made[MANIFEST], digests[MANIFEST] = manifest, files.hash_of(manifest)
    _check_paths(list(made))
    paths = sorted(made)
    sizes = {path: _size(made[path]) for path in paths}
    return Release({path: made[path] for path in paths}, {path: digests[path] for path in paths}, sizes)


def _size(file: Path | bytes) -> int:
    return len(file) if isinstance(file, bytes) else file.stat().st_size


def _whole(folder: Path) -> Zoo:
    """The zoo, whose bytes are its manifest's; opening it vets that this names a zoo's files, all and no others."""
    not_a_zoo.check(folder)
    if (folder / MANIFEST).is_file() and (problems := list(check_bytes(folder))):
        raise ValueError("\n  ".join([f"{folder} cannot be released; build or fetch it again:", *problems]))
    return open(folder)  # raises where there is no manifest


def _named(zoos: list[Zoo]) -> dict[str, Zoo]:
    """The zoos by the names of their configs: `architecture-family`, or all by their specs' names if two would share one."""
    names = [f"{zoo.spec.architecture}-{zoo.spec.family}" for zoo in zoos]
    if len(set(names)) < len(names):
        names = [zoo.spec.name for zoo in zoos]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two zoos would be the config {twice[0]!r}; build one of them under another name")
    for name, zoo in zip(names, zoos, strict=True):
        if taken := {"config"} & set(zoo.columns):
            raise ValueError(f"{zoo.folder}: column {taken.pop()!r} is the release's own; import it under another name")
        if name == "pictures":
            raise ValueError(f"{zoo.folder}: a config cannot be called {name!r}; build it under another name")
    return dict(zip(names, zoos, strict=True))


def _own(zoos: dict[str, Zoo], about: About, scores: str) -> dict[str, bytes]:
    """The files that are made for the release, but for the manifest."""
    drawn = pictures([*zoos.values()])
    captions = {path: caption for path, (caption, _) in drawn.items()}
    table = index(zoos)
    parquet = _parquet(table)
    metadata = croissant(zoos, about, table=table, index_sha256=files.hash_of(parquet))
    return {
        CARD: card(zoos, about, pictures=captions, scores=scores).encode(),
        "zoo.json": files.to_json({"format": RELEASE, "configs": [_config(*item) for item in zoos.items()]}),
        INDEX: parquet,
        CROISSANT: files.to_json(metadata),
        **{path: png(figure) for path, (_, figure) in drawn.items()},
    }


def _config(name: str, zoo: Zoo) -> dict[str, Any]:
    return {
        "name": name,
        "manifest_sha256": zoo.manifest_sha256,
        "nets": {split: int((zoo.columns["split"] == split).sum()) for split in SPLITS},
        "spec_name": zoo.spec.name,
        "family": zoo.spec.family,
    }


def index(zoos: dict[str, Zoo]) -> pa.Table:
    """A row a net: its config, split, and every scalar column of any of the zoos, null where there is no value.

    Raises ValueError where a column holds words in one zoo and numbers in another.
    """
    parts = [_rows(config, zoo) for config, zoo in zoos.items()]
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"these zoos do not fit into one index; release them apart: {error}") from None


def _rows(config: str, zoo: Zoo) -> pa.Table:
    named = [name for name in columns(zoo) if name in zoo.columns]  # shards sort them
    others = [str(name) for name in zoo.columns if name not in [*named, "split"]]
    values = {name: _array(zoo.columns[name]) for name in ("split", *named, *others)}
    return pa.table({"config": pa.array([config] * len(zoo), pa.string()), **values})


def _array(column: pd.Series) -> pa.Array:
    """Words as plain strings, numbers in their own type; NaN as null, so that SQL's averages leave it out."""
    if pd.api.types.is_numeric_dtype(column):
        return pa.array(column.to_numpy(), from_pandas=True)
    return pa.array(column.astype(object), pa.string(), from_pandas=True)


def _parquet(table: pa.Table) -> bytes:
    memory = io.BytesIO()
    pq.write_table(table, memory, compression="zstd")
    return memory.getvalue()


def _check_paths(paths: list[str]) -> None:
    """Raises ValueError where a hub, a store or a file system that ignores case would not take these files."""
    for path in paths:
        if not all(PART.fullmatch(part) for part in path.split("/")):
            raise ValueError(f"{path!r} cannot be published: names have letters, digits and . _ - only")
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"."}
    names = Counter(path.lower() for path in [*paths, *folders])
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"{twice[0]!r} would be published twice, or differs in case only; build a zoo under another name")
    crowded = Counter(str(PurePosixPath(path).parent) for path in [*paths, *folders])
    if full := [folder for folder, count in crowded.items() if count >= PER_FOLDER]:
        raise ValueError(
            f"{full[0]} would hold {crowded[full[0]]:,} files; the hub takes fewer than {PER_FOLDER:,} a folder"
        )
