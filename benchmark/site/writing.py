"""The leaderboard as a static site, written to a folder that holds nothing else."""

from pathlib import Path

from benchmark.site.unchanged import GENERATOR, MOST_BYTES, is_unchanged, keep, stamp
from zoo.storage import files
from zoo.untrusted.files import read_bytes, remove


def write(
    results: Path,
    out: Path,
    *,
    zoo_folders: list[Path] | None = None,
    overwrite: bool = False,
    project: str | None = None,
) -> Path:
    """Writes the site of the records under `results` into the folder `out`; returns its index.html.

    A site that is there already, and would be the same, is left as it is.
    Raises FileExistsError where `out` holds anything, unless it is a site and is to be overwritten, and as
    `leaderboard` does.
    """
    index, made_of = out / "index.html", stamp(results, zoo_folders or [], project)
    if is_unchanged(out, made_of):
        return index
    from benchmark.site.site import site  # takes seconds to import

    made = site(results, zoo_folders or [], project)
    if out.exists() and any(out.iterdir()) and not _is_begun(out, made):
        if not _is_site(index):
            raise FileExistsError(f"{out} holds something other than a site of `metazoo page`; give another folder")
        if not overwrite:
            raise FileExistsError(f"{out} has a site; --overwrite replaces it")
        for pattern in ("metanets/*.html", "zoos/*.html", "zoos/*.json", "pictures/*.svg"):
            for old in out.glob(pattern):
                remove(old, below=out)
    for pattern in (files.TEMPORARY, f"*/{files.TEMPORARY}"):
        for left in out.glob(pattern):
            remove(left, below=out)
    for name in sorted(made, key=index.name.__eq__):  # the index last: with it the site is whole
        files.write(out / name, made[name], below=out)
    keep(out, made_of, made)
    return index


def _is_site(index: Path) -> bool:
    """Whether this is the first page of a site; a link is none."""
    try:
        return GENERATOR.encode() in read_bytes(index, MOST_BYTES, below=index.parent)
    except ValueError:
        return False


def _is_begun(out: Path, made: dict[str, bytes]) -> bool:
    """Whether the folder holds nothing but what this very site's writing leaves where it is stopped."""
    found = [path for path in out.rglob("*") if path.is_symlink() or not path.is_dir()]
    if out / "index.html" in found or any(path.is_symlink() for path in found):
        return False
    known = {out / name: data for name, data in made.items()}
    return all(
        path.match(files.TEMPORARY) or (path in known and read_bytes(path, MOST_BYTES, below=out) == known[path])
        for path in found
    )
