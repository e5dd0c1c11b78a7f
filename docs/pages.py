"""The documentation site: `python docs/pages.py` collects its pages from READMEs, `docs/` and code, and builds it.

The collected pages lie as their sources do, so links between READMEs hold in the site. A line `> [text](FILE#heading)` is
replaced by that section of FILE: what a README says is not written twice.
"""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import typer
import yaml

from benchmark.cli.main import app
from benchmark.records import records
from zoo.spec import hidden, spec
from zoo.tasks import images

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "mkdocs.yml"
LINK = re.compile(r"(\]\()(?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?(\))")
INCLUDED = re.compile(r"^> \[[^]]*\]\(([^)#]+)#([^)]+)\)$", flags=re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", flags=re.DOTALL | re.MULTILINE)
SHIM = "https://unpkg.com/iframe-worker/shim"  # what Zensical's pages would load; ours is docs/offline.js


def settings() -> dict[str, Any]:
    """What mkdocs.yml says; its Python names are left out."""

    class Plain(yaml.SafeLoader):
        pass

    Plain.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
    found: dict[str, Any] = yaml.load(SETTINGS.read_text(), Plain)
    return found


def nav(entries: Any = None) -> Iterator[str]:
    """The pages that the navigation names, in its order."""
    entries = settings()["nav"] if entries is None else entries
    if isinstance(entries, str):
        yield entries
    else:
        for entry in entries.values() if isinstance(entries, dict) else entries:
            yield from nav(entry)


def slug(heading: str) -> str:
    """The anchor of a heading, as where READMEs are shown: lower case, hyphens for spaces, no other signs."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(text: str) -> list[tuple[int, str, int]]:
    """(level, anchor, where its line begins) of each heading outside of code."""
    bare = CODE.sub(lambda found: re.sub(r"[^\n`]", " ", found[0]) if "\n" in found[0] else found[0], text)
    return [
        (len(found[1]), slug(found[2]), found.start()) for found in re.finditer(r"^(#+) (.*)$", bare, flags=re.MULTILINE)
    ]


def section(text: str, anchor: str) -> str:
    """What stands below a heading, up to the next of its level. Raises ValueError where there is none."""
    found = headings(text)
    at = next((number for number, (_, name, _) in enumerate(found) if name == anchor), None)
    if at is None:
        raise ValueError(f"there is no heading #{anchor}; there are {', '.join(name for _, name, _ in found)}")
    level, _, begin = found[at]
    end = next((start for depth, _, start in found[at + 1 :] if depth <= level), len(text))
    return text[begin:end].partition("\n")[2].strip()


def links(text: str) -> list[tuple[str, str]]:
    """(file, anchor) of each link in a page to something here; either may be empty."""
    return [(found[2], (found[3] or "#")[1:]) for found in LINK.finditer(CODE.sub("", text))]


def page(source: Path) -> str:
    """A page as it stands in the site: sections of other files are included, with their links as seen from this one."""

    def included(found: re.Match[str]) -> str:
        other = (source.parent / found[1]).resolve()
        text = section(other.read_text(), found[2])
        return LINK.sub(lambda link: f"{link[1]}{_seen_from(source, other, link[2])}{link[3] or ''}{link[4]}", text)

    return INCLUDED.sub(included, source.read_text())


def _seen_from(source: Path, other: Path, target: str) -> str:
    place = (other.parent / target).resolve() if target else other
    return os.path.relpath(place, source.parent)


def command_line() -> str:
    """Every verb of the command line, under the headings of its help, with what it takes and an example."""
    parts = ["# Command line", "What `metazoo --help` and `metazoo COMMAND --help` say. Exit codes: 0 done; 1 an error, or "]
    parts[-1] += "something was found wrong; 2 a wrong command line; 130 stopped by Ctrl-C."
    said = ""
    for panel, name, verb in verbs():
        parts += [f"## {panel}"] * (panel != said) + [f"### {name}", _verb(name, verb)]
        said = panel
    return "\n\n".join(parts) + "\n"


def verbs() -> list[tuple[str, str, Any]]:
    """(panel, name, command) of each verb, of groups too."""
    found = []
    for name, verb in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(verb, "commands", None)
        for full, one in {f"{name} {key}": of for key, of in inner.items()}.items() if inner else [(name, verb)]:
            found.append((verb.rich_help_panel, full, one))
    return sorted(found, key=lambda entry: list(dict.fromkeys(panel for panel, _, _ in found)).index(entry[0]))


def _verb(name: str, verb: Any) -> str:
    arguments = [one for one in verb.params if one.param_type_name == "argument"]
    given = " ".join((one.metavar or one.name.upper()) + "..." * (one.nargs == -1) for one in arguments)
    rows = ["| given | what it is | |", "| --- | --- | --- |", *(_row(one) for one in verb.params)] if verb.params else []
    example = re.sub(r"^Example: ", "", (verb.epilog or "").replace("\\[", "["))
    parts = [inspect.cleandoc(verb.help), f"```\nmetazoo {name} {given} [OPTIONS]\n```", "\n".join(rows)]
    return "\n\n".join([*filter(None, parts), f"Example: `{example}`"])


def _row(parameter: Any) -> str:
    names = parameter.opts if parameter.opts[0].startswith("-") else [parameter.metavar or parameter.name.upper()]
    plain = isinstance(parameter.default, str | int | float | Path) and not isinstance(parameter.default, bool)
    default = f"default `{parameter.default}`" if plain else "required" if parameter.required else ""
    told = (parameter.help or "").replace("|", "\\|")
    return f"| {' '.join(f'`{name}`' for name in names)} | {told} | {default} |"


def fields() -> str:
    """The fields of a spec and of a record, with the comments that stand beside them in the code."""
    kept: dict[str, tuple[ModuleType, str, tuple[str, ...]]] = {
        "A spec": (spec, "What `metazoo specs NAME` prints, and a TOML file may set.", ("Spec", "Net", "Recipe")),
        "Its images": (images, "`images`: what the nets are trained on.", ("Images",)),
        "Hidden axes": (hidden, "`recipe.hidden`: what no hyper-parameter tells.", ("Hidden",)),
        "A record": (
            records,
            "A JSON file of one metanet, task and seed; its schema is "
            "[record.schema.json](../../benchmark/records/record.schema.json).",
            ("Record", "ZooReference", "Task", "Method", "Code", "Software", "PredictionsFile"),
        ),
    }
    parts = ["# Fields of specs and records", "Read off the code: names, types, defaults."]
    for title, (module, told, names) in kept.items():
        parts += [f"## {title}", told, *(part for name in names for part in _fields(module, name))]
    return "\n\n".join(parts) + "\n"


def _fields(module: ModuleType, name: str) -> Iterator[str]:
    lines = inspect.getsource(module).splitlines()
    (made,) = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.ClassDef) and node.name == name]
    yield f"### {name}"
    yield ast.get_docstring(made) or ""
    rows = ["| field | type | default | |", "| --- | --- | --- | --- |"]
    for node in made.body:
        if isinstance(node, ast.AnnAssign):
            comment = lines[(node.end_lineno or 1) - 1][node.end_col_offset :].strip().removeprefix("# ")
            default = f"`{ast.unparse(node.value)}`" if node.value else ""
            kind = re.sub(r"Annotated\[(.+?), .*\]$", r"\1", ast.unparse(node.annotation))  # without bounds and patterns
            cells = (f"`{ast.unparse(node.target)}`", f"`{kind}`", default, comment)
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    yield "\n".join(rows)


GENERATED: dict[str, Callable[[], str]] = {
    "docs/reference/command-line.md": command_line,
    "docs/reference/fields.md": fields,
}


def collect(out: Path) -> list[Path]:
    """Writes the pages of the navigation to `out`, and beside them all files that these link to; returns the pages."""
    shutil.rmtree(out, ignore_errors=True)
    pages = list(nav())
    for name in pages:
        text = GENERATED[name]() if name in GENERATED else page(ROOT / name)
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
        for target in {(ROOT / name).parent / target for target, _ in links(text) if target}:
            place = target.resolve().relative_to(ROOT)
            if str(place) not in pages:
                _copy(place, out)
    for style in settings()["extra_css"]:
        _copy(Path(style), out)
    return [out / name for name in pages]


def _copy(place: Path, out: Path) -> None:
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / place, out / place)


def build() -> Path:
    """Collects the pages and has Zensical make the site; its first page. Exits with a word where that fails."""
    if missing := [name for name in ("zensical", "mkdocstrings") if find_spec(name) is None]:
        raise SystemExit(f"not installed: {', '.join(missing)}; pip install -c constraints.txt -e '.[docs]', or `make docs`")
    told = settings()
    pages, site = ROOT / told["docs_dir"], ROOT / told["site_dir"]
    collect(pages)
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", str(SETTINGS)]
    made = subprocess.run(command, cwd=ROOT, check=False)
    if made.returncode:
        raise SystemExit(made.returncode)
    shutil.copyfile(ROOT / "docs/offline.js", site / "offline.js")
    for one in site.rglob("*.html"):
        one.write_text(one.read_text().replace(SHIM, os.path.relpath(site / "offline.js", one.parent)))
    return site / "index.html"


if __name__ == "__main__":
    print(build())
