"""The verbs of the command line and what each takes, read off the application, so that a new verb is tested too."""

import inspect
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from small_reference import of_a_small_zoo
from typer.models import ArgumentInfo, OptionInfo

from benchmark.cli import main
from benchmark.cli.terminal import app
from benchmark.submissions.submission import submission
from metanets.estimators import Mean
from zoo.storage.files import write_json

VERBS: dict[str, Callable[..., None]] = {  # as they are written: `score`, `reference build`
    " ".join([*([group] if group else []), command.name or command.callback.__name__.replace("_", "-")]): command.callback
    for group, of in {"": app, **{str(one.name): one.typer_instance for one in app.registered_groups}}.items()
    for command in of.registered_commands
    if command.callback is not None
}


@dataclass(frozen=True)
class Parameter:
    """One argument or option of a verb; of a list, `kind` is what each of its values is."""

    verb: str
    name: str
    kind: Any
    info: ArgumentInfo | OptionInfo
    required: bool

    def given(self, value: object) -> list[str]:
        """The words of a command line that give the parameter this value."""
        if isinstance(self.info, ArgumentInfo):
            return [str(value)]
        named = [text for text in (self.info.default, *(self.info.param_decls or ())) if str(text).startswith("--")]
        flag = named[0] if named else f"--{self.name.replace('_', '-')}"
        return [f"{flag}={value}"]  # behind `=` no shell expands `~`

    def __str__(self) -> str:
        return f"{self.verb.replace(' ', '-')}-{self.name}"


def parameters(verb: str) -> list[Parameter]:
    """All that a verb takes, in order."""
    hints, found = get_type_hints(VERBS[verb], include_extras=True), []
    for name, parameter in inspect.signature(VERBS[verb]).parameters.items():
        assert get_origin(hints[name]) is Annotated, f"{verb} {name}"
        annotated, info = get_args(hints[name])[:2]
        required = parameter.default is inspect.Parameter.empty
        found.append(Parameter(verb, name, _kind(annotated), info, required))
    return found


def _kind(annotated: Any) -> Any:
    """The type of one value: without None, and of a list that of its items."""
    if get_origin(annotated) is list or type(None) in get_args(annotated):
        return _kind(next(kind for kind in get_args(annotated) if kind is not type(None)))
    return annotated


ALL = [parameter for verb in VERBS for parameter in parameters(verb)]


def run(monkeypatch: Any, capsys: Any, *arguments: object) -> tuple[int, str, str]:
    """Runs a command line in this process: (exit code, output, errors)."""
    monkeypatch.setattr(sys, "argv", ["metazoo", *map(str, arguments)])
    before = signal.getsignal(signal.SIGTERM)
    try:
        main.main()
        code: object = 0
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        signal.signal(signal.SIGTERM, before)
    out, err = capsys.readouterr()
    assert isinstance(code, int)
    return code, out, err


@dataclass(frozen=True)
class Material:
    """Sound values of what verbs need: a zoo, records, a folder to write to."""

    zoo: Path
    results: Path
    nets: Path
    folder: Path

    def needed(self, verb: str) -> dict[str, object]:
        """A value of each required parameter, and of those without which the verb would take long."""
        values: dict[str, Any] = {
            "zoo_folder": self.zoo,
            "zoo_folders": self.zoo,
            "folders": self.zoo,
            "spec": "digits-resnet8-standard",
            "metanet": "mean",
            "results": self.results,
            "paths": self.results,
            "one": "mean",
            "other": "ridge",
            "code": "https://example.org/code",
            "contact": "me",
            "citation": "none",
            "external_data": "none",
            "to": self.folder / "to",
            "out": self.folder / ("out.png" if verb == "curve" else "out"),
            "source": self.zoo,
            "kind": "state-dicts",
            "path": self.nets,
            "size": "tiny",
            "model": self.folder.parent / "model",
            "zoos": self.zoo,
        }
        if verb == "predict" and not values["model"].exists():
            Mean().fit(self.zoo).save(values["model"])
        extra = {"plan": {"seconds": 0.1, "workers": 1}, "export": {"net": 0}, "score": {"seeds": 1, "workers": 1}}
        quick: dict[str, dict[str, object]] = {
            **extra,
            "build": {"nets": 1, "workers": 1},
            "fresh": {"nets": 8, "workers": 1},
            "submit": {"commit": "0" * 40},
        }
        if verb == "verify-submission":  # it writes beside the submission
            board = shutil.copytree(self.results, self.folder.parent / "board", dirs_exist_ok=True)
            values["folders"] = home = next(board.glob("*/*/mean"))
            about = submission(
                code_url="https://a.org/b", commit="0" * 40, contact="me", citation="none", external_data="none"
            )
            write_json(home / "submission.json", asdict(about))
        if verb in ("connect", "interpolate"):  # they write beside the zoo
            values["zoo_folder"] = shutil.copytree(self.zoo, self.folder.parent / "copy", dirs_exist_ok=True)
            quick |= {"connect": {"pairs": 2, "points": 3, "test_images": 20}, "interpolate": {"nets": 2, "points": 3}}
        if verb.startswith("reference "):  # a reference of the zoo alone
            values["folder"] = place = self.folder.parent / "reference"
            shutil.copytree(self.zoo, place / "digits-resnet8-standard", dirs_exist_ok=True)
            quick |= {verb: {"folder": place, "reference": of_a_small_zoo(self.folder.parent / "small.toml")}}
        required = [parameter.name for parameter in parameters(verb) if parameter.required or parameter.name == "results"]
        return {name: values[name] for name in required} | quick.get(verb, {})

    def command(self, verb: str, **changes: object) -> list[str]:
        """A sound command line, with these parameters changed."""
        values = self.needed(verb) | changes
        words = [word for each in parameters(verb) if each.name in values for word in each.given(values[each.name])]
        fast = ["--set=recipe.epochs=[1,1]", "--set=net.width=0.125"] if verb in ("build", "fresh") else []
        return [*verb.split(), *words, *fast]


__all__ = ["ALL", "VERBS", "Material", "Parameter", "parameters", "run"]
