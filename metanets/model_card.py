"""A fitted metanet as it is published: a model of the hub, with a card that says what it is, of what, and how good."""

from collections.abc import Mapping
from math import isfinite, prod
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from metanets.model_folder import FILE, WEIGHTS, Model, read
from metanets.table import METANETS, of_the_suite
from zoo.hub.card import rendered
from zoo.hub.citation import CITATIONS, LICENCE, PUBLISHED, About, of_release
from zoo.hub.release import CARD, Release
from zoo.storage import files
from zoo.storage.manifest import MANIFEST

SCORES = {"r2": ("r_squared", "R²"), "tau": ("kendall_tau", "Kendall's tau-b")}  # ours -> the hub's type, and in words
Scores = Mapping[str, float]  # by the names in SCORES


def model_release(
    folder: Path | str,
    *,
    name: str,
    licence: str | None = None,
    authors: str = "",
    repository: str = "USER/NAME",
    test: Scores | None = None,
) -> Release:
    """The release of the fitted metanet in a folder: its two files, a card and a manifest, for `publish`.

    `test` are its scores on the test nets of the zoo that it was fitted on, by the names `r2` and `tau`, where they are
    known; the others are as in `release`. Raises as `model_folder.read` and `About` do, and ValueError for other scores.
    """
    about = About(name, LICENCE if licence is None else licence, authors=authors, repository=repository)
    if wrong := {name: value for name, value in (test or {}).items() if name not in SCORES or not isfinite(value)}:
        raise ValueError(f"scores on test nets: found {wrong}, expected finite numbers by the names {', '.join(SCORES)}")
    folder = Path(folder).expanduser()
    model, tensors = read(folder)
    entries = sum(tensor.numel() for tensor in tensors.values())
    contents: dict[str, Path | bytes] = {name: folder / name for name in (FILE, WEIGHTS)}
    scores = {name: float(value) for name, value in (test or {}).items()}  # YAML knows no number of numpy's
    contents[CARD] = card(model, about, test=scores, entries=entries).encode()
    data = {name: file if isinstance(file, bytes) else file.read_bytes() for name, file in sorted(contents.items())}
    data[MANIFEST] = "".join(f"{files.hash_of(content)}  {name}\n" for name, content in data.items()).encode()
    digests = {name: files.hash_of(content) for name, content in data.items()}
    sizes = {name: len(content) for name, content in data.items()}
    return Release({**contents, MANIFEST: data[MANIFEST]}, digests, sizes, kind="model")


def card(model: Model, about: About, *, test: Scores, entries: int) -> str:
    """The card of a fitted metanet, which has so many numbers; all that may be another's is escaped."""
    own = of_the_suite(model.metanet)
    return rendered(
        "model.md",
        about=about,
        front=Markup(front_matter(model, about, test)),
        model=model,
        own=own is not None,
        baseline=own is not None and own.baseline,
        rows=_rows(model, entries),
        scores=[("validation", "R²", value) for value in _validation(model).values()]
        + [("test", SCORES[name][1], value) for name, value in test.items()],
        settings=_in_words({name: value for name, value in (model.training or {}).items() if value}),
        chosen=_in_words(model.chosen),
        tensors=len(model.layout),
        weights=sum(map(prod, model.layout.values())),
        citations=Markup("\n".join(filter(None, [of_release(about), CITATIONS]))),
    )


def front_matter(model: Model, about: About, test: Scores) -> str:
    """The YAML at the head of the card: what the hub reads of a model, its scores as a model index."""
    published = PUBLISHED.fullmatch(model.zoo.source or "")
    scores = [
        _result(model, published, split, of) for split, of in (("validation", _validation(model)), ("test", test)) if of
    ]
    fields = {
        "license": about.licence,
        "library_name": "metazoo",
        "tags": ["metanetwork", "weight-space-learning", "model-zoo", *_tag(model.metanet)],
        **({"datasets": [published["repository"]]} if published else {}),
        **({"metrics": [SCORES["r2"][0]]} if scores else {}),
        **({"model-index": [{"name": about.name, "results": scores}]} if scores else {}),
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)


def _result(model: Model, published: Any, split: str, scores: Scores) -> dict[str, Any]:
    place = {"config": published["config"], "revision": published["revision"]} if published else {}
    return {
        "task": {"type": "tabular-regression", "name": f"{model.target} of nets, from their weights"},
        "dataset": {
            "type": published["repository"] if published else model.zoo.name,
            "name": model.zoo.name,
            "split": split,
            **place,
            "args": {"manifest_sha256": model.zoo.manifest_sha256},
        },
        "metrics": [{"type": SCORES[name][0], "name": SCORES[name][1], "value": value} for name, value in scores.items()],
    }


def _validation(model: Model) -> Scores:
    """Its R² on the validation nets, by which it was chosen; nothing where it is not known."""
    found = model.chosen.get("validation_r2")
    return {"r2": float(found)} if isinstance(found, int | float) and isfinite(found) else {}


def _tag(metanet: str) -> list[str]:
    """The name of one of the suite's metanets."""
    name = metanet.partition("+")[0]
    return [name] if name in METANETS else []


def _rows(model: Model, entries: int) -> dict[str, str]:
    parameters = "not counted" if model.parameters is None else f"{model.parameters:,} trained"
    return {
        "metanet": f"{model.metanet}, version {model.version}",
        "predicts": model.target,
        "reads": (model.reads or "an input of its own") + ("" if model.inputs == "trained" else f", {model.inputs} entries"),
        **({"which are": ", ".join(model.hyper_parameters)} if model.hyper_parameters else {}),
        "parameters": f"{parameters}; {entries:,} numbers stored",
        "fitted on": f"{model.zoo.train_nets:,} nets of {model.zoo.name} ({model.zoo.family})",
        "chosen on": f"{model.zoo.validation_nets:,} validation nets of it",
        "zoo": (f"{model.zoo.source}; " if model.zoo.source else "")
        + f"SHA-256 of its manifest: {model.zoo.manifest_sha256}",
        "seed": str(model.seed),
        "metazoo": model.metazoo or "not said",
    }


def _in_words(values: Mapping[str, Any]) -> dict[str, str]:
    return {name.replace("_", " "): _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
