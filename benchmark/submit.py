"""Submissions: the records of one metanet on one task, with who stands behind them, checked before they are believed.

Everything here may come from a stranger, so sizes are looked at before contents, links are not followed, and what cannot
be read is a ValueError that names the file. A submission is never changed: a correction lies beside it and supersedes
it, and what maintainers found when they ran it again goes to a `verification.json`.

Labels are compared with the zoo's where the zoo is given. Where it is not, those in the predictions are taken, and
records must only agree with each other; `Checked.labelled` counts which is which. That is not stored, since a submitter's
word on it would prove nothing: a page says "labels not checked", unless it was made with the zoo or `tier` is higher than
self-reported. The labels of a public zoo are public anyway; only a zoo that did not exist before (`fresh`) is unseen.
"""

import math
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import zoo as zoos
from benchmark import records
from benchmark.metrics import is_constant, recalibrated_r2, scores
from benchmark.records import SUBMISSION, Record
from benchmark.score import rows_of, task_of
from benchmark.untrusted import (
    PREDICTIONS_BYTES,
    RECORD_BYTES,
    VERIFICATION,
    Found,
    Submission,
    Tier,
    read,
    read_bytes,
    read_submission,
    read_verification,
)
from metanets import METANETS
from zoo import Spec, Zoo, description, files
from zoo.choices import unknown
from zoo.verify import check_bytes

FEWEST_SEEDS = 5  # of a submission; a floor may have fewer, since most do not depend on the seed
TOLERANCE = 1e-6  # between a score and the one recomputed; where scores are enormous, what rounding gives
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=-]{0,199}")  # a task's or metanet's name as a folder's name


@dataclass(frozen=True)
class Checked:
    """What a check of a folder found: the problems, a line each; how many records, and of how many the labels compared."""

    problems: tuple[str, ...]
    records: int
    labelled: int


def submit(
    paths: Sequence[Path], about: Submission, *, to: Path, zoo_folders: Sequence[Path] = ()
) -> tuple[Path, tuple[Path, ...]]:
    """Checks records, files or folders of them, and copies them with `about` to where they belong under `to`.

    Returns the new folder and the files in it, the last of them `submission.json`, without which a stopped copy counts
    for nothing and the same call goes on. Nothing is overwritten: records that `score` has put there already stay, if
    they are these. With zoos every record must be of one of them. Raises ValueError listing all that is wrong, and
    FileExistsError where something else is in the way.
    """
    known, tasks = _opened(zoo_folders), dict[tuple[str, str, str], tuple[Path, pd.DataFrame]]()
    found, problems = _examined(_expanded(paths), known)
    problems += _together(found, submitted=True)
    problems += [f"{one.path}: {line}" for one in found for line in _other_nets(one, tasks)]
    if known:
        lacking = [one for one in found if not _is_known(one.record, known)]
        problems += [f"{one.path}: fitted or tested on a zoo that is not among those given by --zoo" for one in lacking]
    if problems:
        raise ValueError("\n  ".join([f"refused, {len(problems)} problem(s):", *map(_printable, problems)]))
    folder = _destination(to, found[0].record, about.supersedes)
    contents = {name: data for one in found for name, data in _contents(one).items()}
    return folder, _copied(folder, contents | {SUBMISSION: files.to_json(asdict(about))})


def check(folder: Path, zoo_folders: Sequence[Path] = ()) -> Checked:
    """Derives everything under a folder of records again, with submissions or without. Raises FileNotFoundError if none.

    Records of a zoo that is not given are taken at their labels; those of the same zoo must agree.
    """
    known, problems, found = _opened(zoo_folders), _links(folder), []
    seen: dict[tuple[str, str], tuple[Path, pd.Series]] = {}
    tasks: dict[tuple[str, str, str], tuple[Path, pd.DataFrame]] = {}
    homes = sorted({path.parent for name in ("seed-*.json", SUBMISSION, VERIFICATION) for path in folder.glob(f"**/{name}")})
    if not homes:
        raise FileNotFoundError(f"{folder}: no records there; `metazoo score` writes them")
    for home in homes:
        here, wrong = _examined(sorted(home.glob("seed-*.json")), known)
        for one in here:
            wrong += [f"{one.path}: {line}" for line in (*_misplaced(one), *_at_odds(one, seen), *_other_nets(one, tasks))]
        problems += wrong + _home_problems(home, here)
        found += [one.record for one in here]
    problems += _rivals(homes)
    labelled = sum(_is_known(record, known) for record in found)
    return Checked(tuple(map(_printable, problems)), len(found), labelled)


def tier(folder: Path) -> Tier:
    """How far the records in a folder are to be trusted. Raises ValueError where they are not those that were verified."""
    if not (folder / VERIFICATION).exists():
        return "self-reported"
    found = read_verification(folder / VERIFICATION)
    now = {path.name: files.hash_of(read_bytes(path, RECORD_BYTES)) for path in folder.glob("seed-*.json")}
    if found.records != now:
        differing = sorted(name for name in found.records.keys() | now.keys() if found.records.get(name) != now.get(name))
        raise ValueError(f"{folder / VERIFICATION}: {', '.join(differing)} differ(s) from what was verified; verify anew")
    return found.tier


def fresh(spec: Spec, folder: Path, **options: Any) -> int:
    """Builds a zoo of this spec from a seed that nobody knew before, with the options of `zoo.build`; returns the seed.

    It stands in the zoo's description from the first moment on, so the folder is to be kept to oneself until the metanets
    to be verified have been handed in. Raises FileExistsError where there is a zoo already.
    """
    if (folder / description.FILE).exists():
        raise FileExistsError(
            f"{folder} holds a zoo, which is not fresh; give a new folder, or finish this one with `metazoo build` and "
            f"--seed as in its {description.FILE}"
        )
    spec = replace(spec, seed=secrets.randbits(48))
    zoos.build(spec, folder, **options)
    return spec.seed


def _opened(folders: Iterable[Path]) -> dict[str, Zoo]:
    """Zoos by their manifests' hashes. Raises ValueError where one's bytes are not those of its manifest."""
    known = {}
    for folder in folders:
        zoo = zoos.open(folder)
        if problems := list(check_bytes(folder)):
            raise ValueError("\n  ".join([f"{folder} is damaged:", *problems]))
        known[zoo.manifest_sha256] = zoo
    return known


def _is_known(record: Record, known: dict[str, Zoo]) -> bool:
    return {record.task.zoo.manifest_sha256, record.task.test_zoo.manifest_sha256} <= known.keys()


def _expanded(paths: Iterable[Path]) -> list[Path]:
    found = [file for path in paths for file in (sorted(path.glob("seed-*.json")) if path.is_dir() else [path])]
    if not found:
        raise FileNotFoundError("no records given; name their files, or the folder of a metanet that holds them")
    return found


def _examined(paths: Iterable[Path], known: dict[str, Zoo]) -> tuple[list[Found], list[str]]:
    """Those records that can be read, and all that is wrong with any."""
    found, problems = [], []
    for path in paths:
        try:
            one = read(path)
        except ValueError as error:
            problems.append(str(error))
            continue
        found.append(one)
        problems += [f"{path}: {line}" for line in _problems(one, known)]
    return found, problems


def _problems(found: Found, known: dict[str, Zoo]) -> list[str]:
    """What is wrong with one record."""
    lines = [*_bad_names(found), *_bad_rows(found)]
    if not lines:
        lines = list(_bad_scores(found))
    return lines + (list(_bad_labels(found, known)) if _is_known(found.record, known) else [])


def _bad_names(found: Found) -> Iterator[str]:
    record, stem = found.record, f"seed-{found.record.seed}"
    for what, name in (("task", record.task.name()), ("metanet", record.metanet.name.replace(":", "."))):
        if not SAFE.fullmatch(name) or re.search(r"\.\d+$", name):
            yield f"the {what}'s name {name[:250]!r} cannot be a folder's: letters, digits and _.,=- only, no number last"
    if (found.path.name, record.predictions.file) != (f"{stem}.json", f"{stem}.parquet"):
        yield f"expected the files {stem}.json and {stem}.parquet, found the second named {record.predictions.file}"


def _bad_rows(found: Found) -> Iterator[str]:
    nets, frame = found.record.task.nets, found.frame
    if strange := sorted(set(frame["split"]) - {"validation", "test"}):
        yield f"predictions of the splits {str(strange)[:100]}, expected validation and test"
    for split in ("validation", "test"):
        part = frame[frame["split"] == split]
        if len(part) != nets.get(split) or not len(part):
            yield f"{len(part)} predictions of {split} nets, expected {nets.get(split)}, one a net"
    one_zoo = found.record.task.zoo == found.record.task.test_zoo
    if twice := int(frame.duplicated(["index"] if one_zoo else ["split", "index"]).sum()):
        yield f"{twice} net(s) are predicted twice, expected one prediction a net"
    for column in ("target", "prediction"):
        if count := int((~np.isfinite(frame[column])).sum()):
            yield f"{count} {column}(s) are not finite, expected a number for each net"


def _bad_scores(found: Found) -> Iterator[str]:
    """Compares the scores with those recomputed from the predictions."""
    record = found.record
    known, held = (found.frame[found.frame["split"] == split] for split in ("validation", "test"))
    values = [part[name].to_numpy(np.float64) for part in (known, held) for name in ("target", "prediction")]
    with np.errstate(all="ignore"):  # predictions near the edge of floats overflow to a score that fits nothing
        recalibrated = recalibrated_r2(values[2], values[3], validation_true=values[0], validation_predicted=values[1])
        again = {"validation": scores(*values[:2]), "test": {**scores(*values[2:]), "r2_recalibrated": recalibrated}}
        constant = is_constant(values[3])
    for split, told in (("validation", record.validation), ("test", record.test)):
        if told.keys() != again[split].keys():
            yield f"{split} scores {sorted(told)}, expected {sorted(again[split])}"
        for name, value in again[split].items():
            if name in told and not math.isclose(told[name], value, abs_tol=TOLERANCE, rel_tol=1e-11):
                yield f"{split} {name} is said to be {told[name]!r}, but the predictions give {value!r}"
    if constant != record.constant_prediction:
        yield f"constant_prediction is said to be {record.constant_prediction}, but the predictions are not so"


def _bad_labels(found: Found, known: dict[str, Zoo]) -> Iterator[str]:
    """Compares task, nets and targets with those of the zoos."""
    task = found.record.task
    zoo, test = known[task.zoo.manifest_sha256], known[task.test_zoo.manifest_sha256]
    if lacking := [one for one in (zoo, test) if task.target not in one.targets]:
        yield f"{lacking[0].folder}: {unknown('target', task.target, lacking[0].targets)}"
        return
    try:
        rows = rows_of(zoo, test, task.target, task.shift, task.train_nets)
        expected = task_of(zoo, test, task.target, task.inputs, task.shift, task.train_nets)
    except ValueError as error:
        yield f"no such task: {error}"
        return
    for name, value in asdict(expected).items():
        if asdict(task)[name] != value:
            yield f"task.{name} is said to be {asdict(task)[name]}, but the zoo gives {value}"
    for split, one in (("validation", zoo), ("test", test)):
        part = found.frame[found.frame["split"] == split]
        index = part["index"].to_numpy()
        missing, strange = np.setdiff1d(rows[split], index), np.setdiff1d(index, rows[split])
        if len(missing) or len(strange):
            yield f"{split} nets of the task without a prediction: {_some(missing)}; not of the task: {_some(strange)}"
            continue
        wrong = one.columns[task.target].to_numpy(np.float64)[index] != part["target"].to_numpy()
        if wrong.any():
            yield f"the {task.target} of {split} nets {_some(index[wrong])} is not what the zoo has"


def _some(index: np.ndarray) -> str:
    return f"{len(index)} ({', '.join(map(str, index[:5]))}{', ...' * (len(index) > 5)})" if len(index) else "none"


def _together(found: Sequence[Found], *, submitted: bool) -> list[str]:
    """What is wrong with records as those of one metanet on one task; fewer seeds are enough where nothing is submitted."""
    if not found:
        return []
    first, seeds, lines = found[0], [one.record.seed for one in found], []
    kinds = [(one.record.task, one.record.metanet.name, one.record.metanet.version) for one in found]
    others = [one for one, kind in zip(found, kinds, strict=True) if kind != kinds[0]]
    lines += [f"{one.path}: not of the same task, metanet and version as {first.path}" for one in others]
    if len(set(seeds)) < len(seeds):
        lines.append(f"{first.path.parent}: seeds {sorted(seeds)}, expected each once")
    if submitted:
        name = first.record.metanet.name
        floor = name in METANETS and METANETS[name].floor
        if len(set(seeds)) < FEWEST_SEEDS and not floor:
            lines.append(f"{first.path.parent}: {len(set(seeds))} seed(s), a submission has {FEWEST_SEEDS} or more")
        if any(one.record.metanet.floor != floor for one in found):
            lines.append(f"{first.path.parent}: {name} is {'' if floor else 'not '}among the suite's floors; records differ")
    return lines


def _contents(found: Found) -> dict[str, bytes]:
    """The predictions first: a record is there when they are."""
    return {found.record.predictions.file: found.predictions, found.path.name: found.data}


def _destination(to: Path, record: Record, supersedes: str | None) -> Path:
    """The folder for these records. Raises ValueError where what is superseded is not there or not these records' own."""
    plain = records.path_of(to, record.task, record.metanet.name, 0).parent
    links = [folder for folder in (plain, *plain.parents[:2]) if folder.is_symlink()]
    if links:
        raise ValueError(f"{links[0]} is a link; nothing is written through links")
    if supersedes is None:
        return plain
    old = plain.with_name(supersedes)
    if _stem(supersedes) != plain.name or not any(old.glob("seed-*.json")):
        raise ValueError(f"no records of {plain.name} at {old}; --supersedes takes the name of a folder in {plain.parent}")
    if old in records.superseded(plain.parent):
        raise ValueError(f"{old} is superseded already; name the newest folder of {plain.name} in {plain.parent}")
    numbered = (plain.with_name(f"{plain.name}.{number}") for number in range(2, 10**6))
    return next(folder for folder in numbered if not (folder / SUBMISSION).exists())


def _stem(name: str) -> str:
    """The name of a metanet's folder without the number of a correction."""
    return re.sub(r"(?<=.)\.\d+$", "", name)


def _copied(folder: Path, contents: dict[str, bytes]) -> tuple[Path, ...]:
    """Writes these files, in order. Raises FileExistsError, before anything is written, where others are in the way."""
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        if path.match(files.TEMPORARY):
            path.unlink()  # of a copy that was stopped
        elif path.name not in contents or read_bytes(path, PREDICTIONS_BYTES) != contents[path.name]:
            raise FileExistsError(f"{path} is there already and is not of this submission; --supersedes adds a correction")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        if not files.publish(folder / name, data) and read_bytes(folder / name, PREDICTIONS_BYTES) != data:
            raise FileExistsError(f"{folder / name}: another submission was written at the same time; try again")
    return tuple(folder / name for name in contents)


def _links(folder: Path) -> list[str]:
    """Links under a folder: none is followed."""
    found = [Path(where) / name for where, folders, names in os.walk(folder) for name in (*folders, *names)]
    return [f"{path} is a link; expected files and folders only" for path in sorted(found) if path.is_symlink()]


def _misplaced(found: Found) -> Iterator[str]:
    """Whether a record lies elsewhere than where the leaderboard's folders have it."""
    expected = records.path_of(Path(), found.record.task, found.record.metanet.name, found.record.seed).parent
    home = found.path.absolute().parent
    if (*home.parts[-3:-1], _stem(home.name)) != expected.parts:
        yield f"expected it in {expected}"


def _at_odds(found: Found, seen: dict[tuple[str, str], tuple[Path, pd.Series]]) -> Iterator[str]:
    """Compares the labels with those of the records `seen` before of the same zoo and target, and adds them."""
    task = found.record.task
    for split, zoo in (("validation", task.zoo), ("test", task.test_zoo)):
        part = found.frame[found.frame["split"] == split].drop_duplicates("index").set_index("index")["target"]
        key = zoo.manifest_sha256, task.target
        path, others = seen.get(key, (found.path, part))
        common = part.index.intersection(others.index)
        if (wrong := part[common] != others[common]).any():
            yield f"the {task.target} of {split} nets {_some(common[wrong].to_numpy())} is not that of {path}"
        elif len(common) < len(part):
            others = others.combine_first(part)
        seen[key] = path, others


def _other_nets(found: Found, tasks: dict[tuple[str, str, str], tuple[Path, pd.DataFrame]]) -> Iterator[str]:
    """Compares the nets with those of the first record of the same task: scores on others would not compare."""
    task, columns = found.record.task, ["split", "index", "target"]
    nets = found.frame[columns].sort_values(columns, ignore_index=True)
    key = task.name(), task.zoo.manifest_sha256, task.test_zoo.manifest_sha256
    path, others = tasks.setdefault(key, (found.path, nets))
    if not nets.equals(others):
        yield f"its nets, or their {task.target}, are not those of {path}"


def _home_problems(home: Path, found: list[Found]) -> list[str]:
    """What is wrong with one folder beside its records one by one."""
    is_submitted = (home / SUBMISSION).exists()
    lines = _together(found, submitted=is_submitted)
    stems = {path.stem for path in home.glob("seed-*.json")}
    for path in sorted(home.iterdir()):
        if path.name not in (SUBMISSION, VERIFICATION) and (
            path.stem not in stems or path.suffix not in (".json", ".parquet")
        ):
            lines.append(f"{path} belongs to no record here; remove it")
    if records.is_unfinished(home):
        lines.append(f"{home}: a correction without {SUBMISSION}, which does not count; submit it again or remove it")
    if (is_submitted or (home / VERIFICATION).exists()) and not stems:
        lines.append(f"{home}: a submission without records")
    try:
        if is_submitted:
            lines += _bad_supersession(home, read_submission(home / SUBMISSION).supersedes)
        tier(home)
    except ValueError as error:
        lines.append(str(error))
    return lines


def _bad_supersession(home: Path, supersedes: str | None) -> Iterator[str]:
    number = home.name.removeprefix(f"{_stem(home.name)}.")
    if (supersedes is None) != (_stem(home.name) == home.name):
        yield f"{home / SUBMISSION}: supersedes {supersedes}, but only a folder NAME.2, NAME.3 and so on is a correction"
    elif supersedes is not None:
        before = {_stem(home.name), *(f"{_stem(home.name)}.{earlier}" for earlier in range(2, min(int(number), 10**6)))}
        if supersedes not in before or not home.with_name(supersedes).is_dir():
            yield f"{home / SUBMISSION}: supersedes {supersedes}, expected an earlier folder of the same metanet beside it"


def _rivals(homes: Iterable[Path]) -> list[str]:
    """Folders of one metanet on one task that count both: a correction that does not supersede the newest."""
    counting: dict[Path, list[str]] = {}
    gone = {home.with_name(name) for home in homes if (name := _supersedes(home)) is not None}
    for home in homes:
        if home not in gone and not records.is_unfinished(home):
            counting.setdefault(home.with_name(_stem(home.name)), []).append(home.name)
    return [f"{plain.parent}: {' and '.join(names)} both count" for plain, names in counting.items() if len(names) > 1]


def _supersedes(home: Path) -> str | None:
    try:
        return read_submission(home / SUBMISSION).supersedes
    except ValueError:  # none there, or named as a problem already
        return None


def _printable(line: str) -> str:
    """A line that cannot steer a terminal, whatever a file made it say."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
