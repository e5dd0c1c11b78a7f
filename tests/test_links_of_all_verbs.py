"""Every verb of the command line, in folders that another has laid: what a link in them leads to is not read, written or
deleted, wherever the link stands.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import small
from plain_resnet8 import PlainResNet8
from small_reference import of_a_small_zoo
from verbs import VERBS

import zoo
from benchmark.cli import main
from benchmark.scoring.fit import Fits
from benchmark.scoring.fitter import Limits
from benchmark.scoring.task import reference
from metanets.estimators import Mean
from zoo.dataset.export import in_official_names
from zoo.spec.spec import to_json
from zoo.storage.files import cache

SECRET = b"token = hf_very_secret\n"
SCORE = ("--metanet", "mean", "--seeds", "1", "--workers", "1", "--epochs", "1", "--learning-rate", "0.001", "--batch", "8")
SUBMIT = (
    "--code",
    "https://a.org/b",
    "--commit",
    "0" * 40,
    "--contact",
    "me",
    "--citation",
    "mine",
    "--external-data",
    "none",
)
SUBMITTED = "{}/test_accuracy/mean"  # where records lie, by the label of their zoo
REFERENCE = ("tiny", "--folder", "LAID", "--reference", "SMALL.toml")
REFERENCE_OF_ZOO = ("tiny", "--folder", "ZOOS", "--reference", "SMALL.toml")
WITHOUT = {  # verbs that take no folder that another may have laid, or do what another verb here does
    "specs": "prints",
    "metanets": "prints",
    "plan": "writes nothing",
    "doctor": "looks at the machine",
    "watch": "is `status` again and again",
    "demo": "is build, score and leaderboard in one folder",
    "fresh": "is build into a new folder",
}


@dataclass(frozen=True)
class Case:
    """A verb's words; `laid` is the name of the folder that another laid, which stands in them as LAID."""

    laid: str
    words: tuple[str, ...]
    also: tuple[str, ...] = ()  # names that the folder lacks, and that the verb may look for or write


CASES: dict[str, Case] = {
    "build": Case("begun", ("build", "SPEC", "--out", "LAID", "--workers", "1"), ("data", "cache")),
    "build --overwrite": Case("begun", ("build", "SPEC", "--out", "LAID", "--workers", "0", "--overwrite")),
    "work": Case("begun", ("work", "LAID"), ("data",)),
    "status": Case("begun", ("status", "LAID"), ("MANIFEST.sha256",)),
    "info": Case("zoo", ("info", "LAID"), ("source.json", "derived", "derived/more.parquet")),
    "group": Case("zoo", ("group", "LAID")),
    "connect": Case("zoo", ("connect", "LAID", "--pairs", "2", "--points", "3"), ("derived/connect.parquet",)),
    "connect OTHER": Case("zoo", ("connect", "ZOO", "LAID", "--pairs", "2", "--points", "3")),
    "interpolate": Case("zoo", ("interpolate", "LAID", "--nets", "2"), ("derived/interpolate.parquet",)),
    "charges": Case("zoo", ("charges", "LAID", "--picture", "NEW.png"), ("derived",)),
    "verify": Case("zoo", ("verify", "LAID", "--nets", "1"), ("data/more.h5",)),
    "move": Case("zoo", ("move", "LAID", "--out", "NEW")),
    "audit": Case("zoo", ("audit", "LAID")),
    "audit --distribution": Case("zoo", ("audit", "LAID", "--distribution")),
    "plot": Case("zoo", ("plot", "LAID", "--out", "NEW")),
    "export": Case("zoo", ("export", "LAID", "--net", "0", "--out", "NEW")),
    "export --kind official": Case("official", ("export", "ZOO", "--kind", "official", "--out", "LAID", "--overwrite")),
    "vet": Case("zoo", ("vet", "LAID")),
    "score": Case("zoo", ("score", "LAID", "--out", "NEW", *SCORE), ("cache", "source.json")),
    "score --out": Case("results", ("score", "ZOO", "--out", "LAID", "--overwrite", *SCORE)),
    "connect --out": Case(
        "results", ("connect", "ZOO", "--pairs", "2", "--points", "3", "--remove", "none", "--out", "LAID")
    ),
    "symmetry --out": Case("results", ("symmetry", "ZOO", "--metanet", "statnn", "--epochs", "1", "--out", "LAID")),
    "reference build": Case(
        "reference", ("reference", "build", *REFERENCE, "--workers", "1"), ("digits-resnet8-standard/cache",)
    ),
    "reference score": Case(
        "reference", ("reference", "score", *REFERENCE, "--metanet", "mean", "--out", "NEW", "--workers", "1")
    ),
    "reference score --out": Case(
        "results", ("reference", "score", *REFERENCE_OF_ZOO, "--metanet", "mean", "--out", "LAID", "--workers", "1")
    ),
    "reference status": Case("reference", ("reference", "status", *REFERENCE), ("digits-resnet8-standard/derived",)),
    "reference status --results": Case("results", ("reference", "status", *REFERENCE_OF_ZOO, "--results", "LAID")),
    "predict": Case("model", ("predict", "LAID", "ZOO")),
    "predict ZOO": Case("zoo", ("predict", "MODEL", "LAID"), ("source.json",)),
    "leaderboard": Case("results", ("leaderboard", "LAID")),
    "compare": Case("results", ("compare", "mean", "mean", "--results", "LAID")),
    "curve": Case("results", ("curve", "LAID", "--out", "NEW.png")),
    "check": Case("results", ("check", "LAID")),
    "submit": Case("results", ("submit", "LAID", "--to", "NEW", *SUBMIT)),
    "submit --to": Case("results", ("submit", "RESULTS", "--to", "LAID", *SUBMIT)),
    "verify-submission": Case("board", ("verify-submission", "SUBMITTED", "--zoos", "ZOO"), ("verifications/reruns",)),
    "verify-submission --zoos": Case("zoo", ("verify-submission", "BOARD", "--zoos", "LAID")),
    "page": Case("results", ("page", "LAID", "--out", "NEW")),
    "page --out": Case("site", ("page", "RESULTS", "--out", "LAID", "--overwrite")),
    "emit": Case("results", ("emit", "LAID", "--out", "NEW")),
    "emit --out": Case("emitted", ("emit", "RESULTS", "--out", "LAID")),
    "publish": Case(
        "zoo", ("publish", "LAID", "--to", "NEW", "--results", "RESULTS"), ("source.json", "derived/more.parquet")
    ),
    "publish --to": Case("release", ("publish", "ZOO", "--to", "LAID", "--results", "RESULTS", "--licence", "mit")),
    "publish --results": Case("results", ("publish", "ZOO", "--to", "NEW", "--results", "LAID")),
    "publish model": Case("model", ("publish", "LAID", "--to", "NEW", "--results", "RESULTS")),
    "fetch": Case("release", ("fetch", "LAID", "--out", "NEW")),
    "import state-dicts": Case("states", ("import", "state-dicts", "LAID", "--out", "NEW")),
    "import asymmetric-networks": Case("paper", ("import", "asymmetric-networks", "LAID", "--out", "NEW")),
}


def metazoo(monkeypatch, *words: object) -> object:
    """Runs the command here; the exit code. Whatever ends in a traceback is raised."""
    monkeypatch.setattr("sys.argv", ["metazoo", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main.main()
    return stop.value.code


class Here(Fits):
    """Fits in this process."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()

    def close(self) -> None:
        """Nothing runs elsewhere."""


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """A release's pictures are some bytes, and nothing is fitted elsewhere: this is about where files lie."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.hub.release.png", lambda figure: b"a picture")
        patch.setattr("benchmark.submissions.rerun.Fitter", Here)
        yield


@pytest.fixture(scope="module")
def places(standard, tmp_path_factory) -> dict[str, Path]:
    """Folders as strangers may lay them, all whole."""
    home = tmp_path_factory.mktemp("laid")
    found = {name: home / name for name in ("begun", "results", "site", "emitted", "release", "official", "states", "paper")}
    zoo.build(small(nets=16), found["begun"], workers=0)
    with pytest.MonkeyPatch.context() as patch:
        assert metazoo(patch, "score", standard, "--out", found["results"], *SCORE) == 0
        assert metazoo(patch, "page", found["results"], "--out", found["site"]) == 0
        assert metazoo(patch, "emit", found["results"], "--out", found["emitted"]) == 0
        assert metazoo(patch, "export", standard, "--kind", "official", "--out", found["official"]) == 0
        assert metazoo(patch, "publish", standard, "--to", found["release"], "--results", found["results"]) in (0, 1)
    for name in ("states", "paper"):
        found[name].mkdir()
    with (found["states"] / "nets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "test_accuracy"], *([f"{i}.safetensors", f"0.{i + 1}"] for i in range(3))])
    for index in range(3):
        state = dict(PlainResNet8(width=0.125, channels=1).state_dict())
        safetensors.torch.save_file(state, found["states"] / f"{index}.safetensors")
        torch.save((in_official_names(state), 90.0), found["paper"] / f"{index}.pt")
    found["model"] = Mean().fit(standard).save(home / "model")
    found["board"] = home / "board"
    with pytest.MonkeyPatch.context() as patch:
        assert (
            metazoo(patch, "submit", found["results"] / SUBMITTED.format(label(standard)), "--to", found["board"], *SUBMIT)
            == 0
        )
    found["submitted"] = found["board"] / SUBMITTED.format(label(standard))
    found["reference"] = home / "reference"
    shutil.copytree(standard, found["reference"] / "digits-resnet8-standard")
    return {**found, "zoo": shutil.copytree(standard, home / "zoo")}  # a copy: some verbs write beside it


def label(folder: Path) -> str:
    return reference(zoo.open(folder)).label()


def within(folder: Path, also: tuple[str, ...]) -> list[str]:
    """Where a link may stand: every folder and file, but of many alike only the first; and the names that are not there."""
    kinds: dict[tuple[str, str], str] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        kinds.setdefault((str(place.parent), "".join(c for c in path.name if not c.isdigit())[-12:]), str(place))
    return [*kinds.values(), *also]


def linked(folder: Path, place: str, home: Path) -> None:
    """Puts a link where `place` is: to a file outside with a secret in it, or to a folder with the same names in it."""
    path, target = folder / place, home / "secret"
    home.mkdir()
    target.write_bytes(SECRET)
    if path.is_dir() or not (path.exists() or path.suffix):
        target = home / "folder"
        for part in path.rglob("*") if path.exists() else ():
            if part.is_file():
                (target / part.relative_to(path)).parent.mkdir(parents=True, exist_ok=True)
                (target / part.relative_to(path)).write_bytes(SECRET)
        target.mkdir(exist_ok=True)
        (target / "0.pt").write_bytes(SECRET)
        shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_verb_is_here():
    given = {" ".join(case.words[:2]) if case.words[0] == "reference" else case.words[0] for case in CASES.values()}
    assert given | WITHOUT.keys() == VERBS.keys()


@pytest.mark.parametrize("case", CASES)
def test_nothing_behind_a_link_is_read_written_or_deleted(places, tmp_path, monkeypatch, capfd, case):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache().is_relative_to(tmp_path)
    laid, spec = CASES[case].laid, tmp_path / "spec.json"
    spec.write_text(json.dumps(to_json(small(nets=16 if laid == "begun" else 64))))
    looked, toml = within(places[laid], CASES[case].also), of_a_small_zoo(tmp_path / "small.toml")
    if laid == "zoo" and case not in ("info", "score"):  # all open zoos as `info` does
        looked = ["data", "zoo.json", "units", *CASES[case].also]
    if laid == "reference":
        name = "digits-resnet8-standard"
        looked = [name, f"{name}/zoo.json", f"{name}/MANIFEST.sha256", f"{name}/data", *CASES[case].also]
    for number, place in enumerate(looked):
        at = tmp_path / f"{number}"
        folder, home = shutil.copytree(places[laid], at / "laid"), at / "home"
        linked(folder, place, home)
        before = contents(home)
        named: dict[str, object] = {"LAID": folder, "NEW": at / "new", "NEW.png": at / "new.png", "SPEC": spec}
        named |= {
            "ZOO": places["zoo"],
            "RESULTS": places["results"],
            "ZOOS": places["reference"],
            "MODEL": places["model"],
            "SMALL.toml": toml,
            "BOARD": places["submitted"],
            "SUBMITTED": folder / places["submitted"].relative_to(places["board"]),
        }
        metazoo(monkeypatch, *(named.get(word, word) for word in CASES[case].words))
        said = "".join(capfd.readouterr())
        assert "very_secret" not in said, place
        assert "Traceback" not in said, place
        assert contents(home) == before, place
        made = [path for path in at.rglob("*") if path.is_file() and not path.is_symlink() and home not in path.parents]
        assert not [path for path in made if SECRET in path.read_bytes()], place
        shutil.rmtree(at)
