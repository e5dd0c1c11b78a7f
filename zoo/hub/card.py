"""The dataset card of a release: Markdown with the front matter that `datasets` and the hub read."""

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from zoo.dataset.reader import Zoo
from zoo.dataset.summary import summary
from zoo.dataset.zoo_json import Description
from zoo.hub.citation import ADDRESS, About, citations, completed
from zoo.hub.recipe import recipe
from zoo.nets.families import FAMILIES
from zoo.spec.columns import SPLITS
from zoo.spec.imported import Imported

TEMPLATES = Path(__file__).parent / "templates"
BATCH = 64  # nets that `datasets` converts at once; its default, 1000 rows of 78,042 weights, takes 312 MB
SIZES = {  # the hub's names -> nets below which they hold
    "n<1K": 1e3,
    "1K<n<10K": 1e4,
    "10K<n<100K": 1e5,
    "100K<n<1M": 1e6,
    "1M<n<10M": 1e7,
    "10M<n<100M": 1e8,
    "100M<n<1B": 1e9,
}


@dataclass(frozen=True)
class Images:
    """Training images: where they come from, their terms with who states them, and what to cite."""

    source: str
    terms: str
    cite: str


CIFAR = Images(
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "no licence is stated by the authors, who ask to cite their report",
    "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
)
IMAGES = {  # image task -> its images; the images themselves are not part of a release
    "digits": Images(
        "scikit-learn's copy of the test part of https://archive.ics.uci.edu/dataset/80",
        "CC BY 4.0, as stated by the UCI repository",
        "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, doi 10.24432/C50P49",
    ),
    "cifar10": CIFAR,
    "cifar100": CIFAR,
    "mnist": Images(
        "https://huggingface.co/datasets/ylecun/mnist",
        "CC BY-SA 3.0, as stated by https://keras.io/api/datasets/mnist",
        "LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to Document Recognition",
    ),
    "fashion_mnist": Images(
        "https://github.com/zalandoresearch/fashion-mnist",
        "MIT, as stated by the authors",
        "Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747",
    ),
    "svhn": Images(
        "http://ufldl.stanford.edu/housenumbers",
        "“for non-commercial use only”, as stated by the authors",
        "Netzer, Wang, Coates, Bissacco, Wu, Ng 2011, Reading Digits in Natural Images with Unsupervised Feature Learning",
    ),
}
NOT_KNOWN = Images("not known to metazoo", "not known to metazoo", "see the source of the zoo")


def columns(zoo: Zoo) -> dict[str, str]:
    """What each column is, in the order of zoo.json; then what analyses added to each net."""
    own = Description(zoo.spec, zoo.blueprint, images_sha256="", moved=zoo.moved).columns
    return own | {name: one.note.meanings[name] for one in zoo.derived.values() if one.of == "nets" for name in one.columns}


def recipes(zoos: dict[str, Zoo]) -> dict[str, dict[str, list[str]]]:
    """By row, what the recipes of zoos that were built say, each text once with the configs that it holds for."""
    found: dict[str, dict[str, list[str]]] = {}
    for config, zoo in zoos.items():
        for row, text in recipe(zoo.spec).items() if not isinstance(zoo.spec, Imported) else ():
            found.setdefault(row, {}).setdefault(text, []).append(config)
    return found


def meanings(zoos: dict[str, Zoo]) -> dict[str, str]:
    """What each column of any zoo is; where zoos differ, each config says its own."""
    found: dict[str, dict[str, list[str]]] = {}
    for config, zoo in zoos.items():
        for name, text in columns(zoo).items():
            found.setdefault(name, {}).setdefault(text, []).append(config)
    return {name: _agreed(texts) for name, texts in found.items()}


def _agreed(texts: dict[str, list[str]]) -> str:
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"{', '.join(configs)}: {text}" for text, configs in texts.items())


def card(zoos: dict[str, Zoo], about: About, *, pictures: dict[str, str], scores: str = "") -> str:
    """The card of these zoos, by config; `pictures` are captions by path, `scores` is Markdown, put in as it is.

    All else that comes from a zoo or its publisher is escaped for Markdown and HTML.
    """
    first, about = next(iter(zoos)), completed(about, zoos)
    return rendered(
        "card.md",
        about=about,
        front=Markup(front_matter(zoos, about)),
        configs={name: _config(zoo) for name, zoo in zoos.items()},
        families={zoo.spec.family: FAMILIES[zoo.spec.family].text for zoo in zoos.values() if zoo.spec.family in FAMILIES},
        columns=meanings(zoos),
        told=recipes(zoos),
        built=[name for name, zoo in zoos.items() if not isinstance(zoo.spec, Imported)],
        hidden=sorted({axis for zoo in zoos.values() for axis in zoo.hidden_axes}),
        derived={f"{name}/{one.path.name}": one for name, zoo in zoos.items() for one in zoo.derived.values()},
        images={zoo.spec.image_task: IMAGES.get(zoo.spec.image_task, NOT_KNOWN) for zoo in zoos.values()},
        pictures=pictures,
        first=Markup(first),
        split=Markup(next(split for split in SPLITS if zoos[first].parts[split])),
        half=next((Markup(name) for name, zoo in zoos.items() if zoo.spec.dtype == "float16"), None),
        trajectory=next((Markup(name) for name, zoo in zoos.items() if zoo.spec.trajectory), None),
        imported=any(isinstance(zoo.spec, Imported) for zoo in zoos.values()),
        scores=Markup(scores.strip()),
        citations=Markup(citations(zoos, about)),
    )


def rendered(template: str, **values: Any) -> str:
    """A card by its template; what is no Markup is escaped for Markdown and HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.finalize = lambda value: plain(value) if type(value) is str else value  # Markup is no plain str
    environment.filters |= {"code": code, "link": link, "number": _number}
    return environment.get_template(template).render(**values)


def front_matter(zoos: dict[str, Zoo], about: About) -> str:
    """The YAML at the head of the card: a config a zoo; the first entry decides the format of all (datasets 5.2).

    By yaml itself: `huggingface_hub.DatasetCardData` knows no configs and checks nothing, it would only dump this, folded.
    """
    configs: list[dict[str, Any]] = []
    for config, zoo in zoos.items():
        splits = [split for split in SPLITS if zoo.parts[split]]
        data_files = [{"split": split, "path": f"{config}/data/{split}-*.h5"} for split in splits]
        default = {"default": True} if not configs else {}
        configs.append({"config_name": config, **default, "batch_size": BATCH, "data_files": data_files})
    nets = sum(len(zoo) for zoo in zoos.values())
    fields = {
        "license": completed(about, zoos).licence,
        "pretty_name": about.name,
        "tags": ["model-zoo", "weight-space-learning", "metanetworks", "hdf5"],
        "size_categories": [next(name for name, below in SIZES.items() if nets < below)],
        "configs": configs,
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)


def _config(zoo: Zoo) -> dict[str, Any]:
    """What the template says of one config."""
    words = {name: sorted(set(zoo.columns[name].dropna())) for name in zoo.hyper_parameters if name in zoo.spec.text}
    provenance = zoo.spec.provenance if isinstance(zoo.spec, Imported) else None
    return {**summary(zoo), "words": words, "provenance": provenance, "split": zoo.spec.split}


def plain(text: str) -> Markup:
    """The text on one line, so that Markdown and HTML show it as it is; what looks like an address may become a link."""
    line = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", escape(" ".join(text.split()), quote=False))
    return Markup(re.sub(r"^(\d*)([-+=.)])(?=[-=\s]|$)", r"\1\\\2", line))  # no list, no rule, no underline of a heading


def code(text: str) -> Markup:
    """A name as code; escaped where it is no plain name."""
    return Markup(f"`{text}`") if re.fullmatch(r"[A-Za-z0-9_.*-]+", text) else plain(text)


def link(text: str) -> Markup:
    """An address as a link; escaped where it is none."""
    return Markup(f"<{text}>") if re.fullmatch(ADDRESS, text) else plain(text)


def _number(value: float | int) -> Markup:
    return Markup(f"{value:.4g}")
