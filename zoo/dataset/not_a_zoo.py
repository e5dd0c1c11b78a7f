"""What a folder is that was given as a zoo and is none: said in words, with what to give instead."""

import os
from itertools import islice
from pathlib import Path

from zoo.messages import plain, some_names
from zoo.untrusted.files import read_bytes
from zoo.untrusted.json import JSON_BYTES, strict_json
from zoo.untrusted.vetting.manifests import ABOUT

RELEASE = "metazoo-release-1"  # the format that a release's zoo.json names
PUBLISHED = (  # what comes before results
    "To publish results: `metazoo publish ZOO --results RESULTS --to PLACE` puts them on the zoo's card, `metazoo emit` "
    "writes them for the hub, `metazoo submit` adds them to a leaderboard"
)
LOOKED_AT = 10_000  # files and folders at most, before a folder is called one of other things


def check(folder: Path) -> None:
    """Raises FileNotFoundError that says what the folder is, where it is no zoo, begun or whole.

    Of a zoo that may be a stranger's it reads zoo.json alone; whether that is sound others say.
    """
    if not (folder / ABOUT).is_file():
        raise FileNotFoundError(f"{folder} is no zoo: {_found(folder)}")
    try:
        data = read_bytes(folder / ABOUT, JSON_BYTES, below=folder)
        about = strict_json(folder / ABOUT, data) if RELEASE.encode() in data else {}
    except ValueError:
        return
    if about.get("format") == RELEASE:
        raise FileNotFoundError(f"{folder} is no zoo, but a release of zoos: {_instead(folder)}")


def _found(folder: Path) -> str:
    """What stands at that path."""
    if not os.path.lexists(folder):
        return "there is no such folder; `metazoo build` makes one"
    if not folder.is_dir():
        return "it is no folder; give the folder of a zoo"
    found = [path.relative_to(folder) for path in islice(folder.rglob("*"), LOOKED_AT)]
    if not found:
        return f"the folder is empty, without {ABOUT}; `metazoo build` makes a zoo"
    if _zoos(folder):
        return f"it is a folder of zoos, without {ABOUT} of its own: {_instead(folder)}"
    if any(path.match("seed-*.json") for path in found):
        return "it is a folder of results, as `metazoo leaderboard` takes it; give the folder of a zoo. " + PUBLISHED
    if any(path.suffix == ".parquet" for path in found):
        return "it is a folder of images, as --images takes it; give the folder of a zoo"
    return f"it has no {ABOUT}, but {some_names(path.parts[0] for path in found)}; `metazoo build` makes a zoo"


def _zoos(folder: Path) -> list[Path]:
    """The folders in it that have a zoo.json."""
    return sorted(path.parent for path in folder.glob(f"*/{ABOUT}"))


def _instead(folder: Path) -> str:
    zoos = _zoos(folder)
    return f"give one of its zoos: {', '.join(plain(path) for path in zoos[:12])}" + ", ..." * (len(zoos) > 12)
