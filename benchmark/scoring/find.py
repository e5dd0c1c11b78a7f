"""Which metanet a name means: one of the suite, or a user's own, and the file that defines it."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
from sklearn.base import clone

from metanets import METANETS, Metanet
from metanets.inputs import canonical
from metanets.own import metanet_of, source_of
from metanets.table import fitting
from zoo.messages import unknown
from zoo.storage.files import hash_of

OURS = ("zoo", "metanets", "benchmark", "metazoo")  # modules that `metazoo` in a record tells, and no hash


def find_metanet(name: str) -> Metanet:
    """The metanet of that name in METANETS, or the user's own, `package.module:NAME` or `path/to/file.py:NAME`.

    NAME is a `Metanet`, an `nn.Module` class (see `metanets.fit.built`) that says by its attribute `reads` which of INPUTS
    it reads (the vector unless it does) and maps a batch of these to [net], or a regressor of scikit-learn's kind, class
    or object. With `+canonical` behind its name it reads nets in canonical form, and with `+canonical+sizes` the logarithms
    of the sizes too. Raises ValueError where there is no such. Importing runs the module's code.
    """
    plain, mark = canonical.split(name)
    found = _found(plain)
    return found.reading(mark) if mark else found


def _found(name: str) -> Metanet:
    if ":" not in name:
        if name not in METANETS:
            raise ValueError(unknown("metanet", name, METANETS) + "; your own: package.module:NAME or path/to/file.py:NAME")
        return METANETS[name]
    return metanet_of(object_named(name), name)


def object_named(name: str) -> Any:
    """What `package.module:NAME` or `path/to/file.py:NAME` names. Raises ValueError where it cannot be imported."""
    module, _, attribute = name.rpartition(":")
    try:
        home = _imported(module)
        if hasattr(home, attribute):
            return getattr(home, attribute)
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        kind = "" if isinstance(error, ImportError | AttributeError | OSError) else f"{type(error).__name__}: "
        raise ValueError(f"cannot import metanet {name!r}: {kind}{error}") from error
    own = [other for other, value in vars(home).items() if getattr(value, "__module__", None) == home.__name__]
    raise ValueError(f"cannot import metanet {name!r}: {module}: {unknown('name', attribute, own)}")


def names_of(metanets: Iterable[str], mark: str = "", *, pairs: bool = False) -> list[str]:
    """The names of these metanets, with this mark besides their own; `all` (and `all+canonical`) is each of METANETS.

    Raises ValueError where one reads pairs of nets alone, and the task is on nets, or the other way round.
    """
    found = []
    for given in metanets:
        plain, own = canonical.split(given)
        if plain in METANETS and plain not in fitting(pairs=pairs):
            what = "nets one by one; leave --pairs" if pairs else "pairs of nets; give --pairs, or leave it"
            raise ValueError(f"{plain} reads {what} away")
        every = fitting(pairs=pairs, sizes=canonical.marked(own, mark).endswith("+sizes"))
        found += [canonical.marked(name + own, mark) for name in (every if plain == "all" else [plain])]
    return found


def _imported(module: str) -> ModuleType:
    """The module of that name or in that file.

    Its folder, or the working directory, is looked in last, so that nothing there hides a module of ours. A file is run
    once, and its module known by a name that no other has.
    """
    if not module:
        raise ImportError("no module is named before the colon")
    file = Path(module).expanduser().resolve() if module.endswith(".py") else None
    place = str(file.parent if file else Path.cwd())
    if place not in sys.path:
        sys.path.append(place)
    if file is None:
        return importlib.import_module(module)
    if not file.is_file():
        raise ImportError(f"{module}: no such file")
    text = file.read_bytes()
    name = f"metazoo_own_{hash_of(str(file).encode() + text)[:12]}_{file.stem}"  # one module for each content
    if name not in sys.modules:
        about = importlib.util.spec_from_file_location(name, file)
        assert about is not None
        assert about.loader is not None
        made = sys.modules[name] = importlib.util.module_from_spec(about)
        try:
            about.loader.exec_module(made)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def name_of(metanet: str) -> str:
    """What records call a metanet: of `path/to/file.py:NAME` that is `file:NAME`, wherever the file lies."""
    module, _, attribute = metanet.rpartition(":")
    return f"{Path(module).stem}:{attribute}" if module.endswith(".py") else metanet


def code_of(metanet: str) -> tuple[str, str] | None:
    """The name and the SHA-256 of the file that defines a user's own metanet; None of the suite's, or without a file.

    Where that file takes something from others beside it or below, the hash is that of all their hashes.
    """
    module, colon, _ = metanet.rpartition(":")
    return _hash(_imported(module)) if colon else None


def code_of_object(given: Any) -> tuple[str, str] | None:
    """The same of a metanet that is an object: of a notebook, where there is no file, of its class's source.

    Where it has settings, as regressors do, they are a part of the hash; None where they, or the source, cannot be read.
    """
    kind = given if isinstance(given, type) else type(given)
    module = sys.modules.get(kind.__module__)
    place = Path(getattr(module, "__file__", None) or "")
    if "site-packages" in place.parts:  # of a library: what else it is made of says its version
        found: tuple[str, str] | None = (place.name, hash_of(place.read_bytes()))
    else:
        found = None if module is None else _hash(module)
    if found is None and kind.__module__ == "__main__" and (source := source_of(kind)) is not None:
        found = "notebook", hash_of(source.encode())
    if found is not None and hasattr(given, "get_params") and not isinstance(given, type):
        settings = _settings_hash(given)
        return None if settings is None else (found[0], hash_of(f"{found[1]} {settings}".encode()))
    return found


def _settings_hash(regressor: Any) -> str | None:
    """The hash of all its settings, of which its `repr` leaves some out; None where one is no data, such as a lambda."""
    try:
        return str(joblib.hash(clone(regressor)))
    except Exception:  # each part of it raises whatever comes
        return None


def _hash(module: ModuleType) -> tuple[str, str] | None:
    found = _files(module)
    hashes = [hash_of(path.read_bytes()) for path in found]
    if not found:
        return None
    return found[0].name, hashes[0] if len(found) == 1 else hash_of("\n".join(sorted(hashes)).encode())


def _files(module: ModuleType) -> list[Path]:
    """The module's file, then those of the user's own modules that it takes something from."""
    found, ahead, home = list[Path](), [module], None
    while ahead:
        one = ahead.pop()
        place = getattr(one, "__file__", None)
        if (
            not isinstance(place, str)
            or not Path(place).is_file()
            or Path(place) in found
            or one.__name__.split(".")[0] in OURS
        ):
            continue
        path = Path(place)
        home = home or path.parents[(one.__package__ or "").count(".") + bool(one.__package__)]
        if home in path.parents and "site-packages" not in path.relative_to(home).parts:
            found.append(path)
            sources = [x if isinstance(x, ModuleType) else getattr(x, "__module__", None) for x in vars(one).values()]
            sources = [sys.modules.get(x) if isinstance(x, str) else x for x in sources]
            ahead += [x for x in sources if isinstance(x, ModuleType)]
    return found
