"""Who made what a release holds, and on what terms: what its publisher says, and what follows where nothing is said."""

import re
from dataclasses import dataclass, replace
from datetime import date

from zoo.dataset.reader import Zoo
from zoo.spec.imported import Imported, Provenance
from zoo.untrusted.manifest import PART

ADDRESS = r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#&()+,;=%-]{1,500}"
REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}"  # the hub's id
PUBLISHED = re.compile(  # the source of a zoo that was fetched from a hub
    rf"hf://datasets/(?P<repository>{REPOSITORY})@(?P<revision>[0-9a-f]{{40}})/(?P<config>{PART})"
)
TEXT = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"  # on one line, and can be encoded
UNKNOWN = "unknown"  # also the hub's own name of a licence that is not known
LICENCE = "cc-by-4.0"  # of zoos that were built here, unless their publisher says otherwise
CITATIONS = """\
@misc{metazoo,
  title = {metazoo: the benchmark suite for metanetworks},
  author = {{The metazoo authors}},
  year = {2026},
  note = {Version 0.1.0},
}

@inproceedings{lim2024empirical,
  title = {The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof},
  author = {Lim, Derek and Putterman, Theo and Walters, Robin and Maron, Haggai and Jegelka, Stefanie},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year = {2024},
  note = {arXiv:2405.20231},
}
"""  # of CITATION.cff


@dataclass(frozen=True)
class About:
    """What its publisher says of a release.

    `licence` is the hub's name of a licence, such as cc-by-4.0; `repository` is the hub's id, USER/NAME; `authors` is text
    as in BibTeX, names joined by " and "; `date` is YYYY-MM-DD, `version` is like 1.0.0. Raises ValueError where one has
    another form.
    """

    name: str
    licence: str | None = None  # see `completed`
    authors: str = ""
    repository: str = "USER/NAME"
    url: str | None = None
    date: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        forms = {
            "name": rf"(?=.*\S){TEXT}{{1,200}}",
            "licence": r"[a-z0-9][a-z0-9.-]{0,49}",
            "authors": rf"{TEXT}{{0,1000}}",
            "repository": REPOSITORY,
            "version": r"\d{1,9}\.\d{1,9}\.\d{1,9}",
            "url": ADDRESS,
        }
        for field, form in forms.items():
            value = getattr(self, field)
            if value is not None and not re.fullmatch(form, value):
                raise ValueError(f"{field} of a release: found {value[:100]!r}, expected the form {form}")
        if self.date is not None and str(date.fromisoformat(self.date)) != self.date:
            raise ValueError(f"date of a release: found {self.date!r}, expected YYYY-MM-DD")


def completed(about: About, zoos: dict[str, Zoo]) -> About:
    """The same with licence and authors where none were given.

    Whoever publishes a zoo that was built here gives LICENCE to it; of an imported one only its makers could say either, so
    that both are unknown.
    """
    imported = any(isinstance(zoo.spec, Imported) for zoo in zoos.values())
    licence = about.licence or (UNKNOWN if imported else LICENCE)
    return replace(about, licence=licence, authors=about.authors or UNKNOWN * imported)


def citations(zoos: dict[str, Zoo], about: About) -> str:
    """BibTeX for a release, of which `about` is completed: itself, the sources of imported zoos, and, if there are zoos
    that were built here, metazoo and the paper that it grew out of.
    """
    specs = {config: zoo.spec for config, zoo in zoos.items()}
    entries = [of_release(about)]
    entries += [_of_source(config, spec.provenance) for config, spec in specs.items() if isinstance(spec, Imported)]
    if not all(isinstance(spec, Imported) for spec in specs.values()):
        entries.append(CITATIONS)
    return "\n".join(filter(None, entries))


def of_release(about: About) -> str:
    """BibTeX for a release itself; nothing where nobody is said to have made it."""
    if not about.authors:
        return ""
    fields = {"title": _escaped(about.name), "author": _escaped(about.authors)}
    fields |= {"year": about.date[:4]} if about.date else {}
    fields |= {"howpublished": rf"\url{{{about.url}}}"} if about.url else {}
    fields |= {"note": f"Version {about.version}"} if about.version else {}
    return _entry("this_release", fields)


def _of_source(config: str, source: Provenance) -> str:
    fields = {"title": _escaped(source.title), "note": _escaped(source.citation or "how to cite it is not stated")}
    fields |= {"howpublished": rf"\url{{{source.url}}}"} if re.fullmatch(ADDRESS, source.url) else {}
    return _entry(f"source_of_{config}", fields)


def _entry(key: str, fields: dict[str, str]) -> str:
    return "\n".join([f"@misc{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"]) + "\n"


def _escaped(text: str) -> str:
    """The text inside a BibTeX field, which may stand in a block of code in Markdown."""
    return re.sub(r"([&%$#_])", r"\\\1", re.sub(r"[{}\\~^`<>\"]", "", text))
