"""metazoo: zoos of trained networks, and metanetworks scored on them. The one import for people.

Names are imported when they are first asked for: `import metazoo` waits for neither torch nor pandas.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "METANETS",
    "Estimator",
    "Metanet",
    "Nets",
    "Spec",
    "Training",
    "Zoo",
    "ZooDataset",
    "ZooGraphs",
    "build",
    "compare",
    "export",
    "fetch",
    "import_zoo",
    "leaderboard",
    "load",
    "load_model",
    "load_results",
    "metanets",
    "model_release",
    "open",
    "publish",
    "release",
    "score",
    "status",
    "verify",
    "work",
]

if TYPE_CHECKING:
    import metanets
    from benchmark.leaderboard.compare import compare
    from benchmark.leaderboard.leaderboard import leaderboard
    from benchmark.leaderboard.scores import score
    from benchmark.records.load_results import load_results
    from metanets import METANETS, Estimator, Metanet, Training, load_model
    from metanets.graphs import ZooGraphs
    from metanets.model_card import model_release
    from zoo import Nets, Spec, Zoo, build, load, open, status, verify, work
    from zoo.dataset.export import export
    from zoo.dataset.zoo_dataset import ZooDataset
    from zoo.hub.fetch import fetch
    from zoo.hub.publish import publish
    from zoo.hub.release import release
    from zoo.importers.import_zoo import import_zoo
else:
    _HOMES = {  # name -> its module, where it is not zoo
        "METANETS": "metanets",
        "Estimator": "metanets",
        "Metanet": "metanets",
        "Training": "metanets",
        "ZooDataset": "zoo.dataset.zoo_dataset",
        "ZooGraphs": "metanets.graphs",
        "compare": "benchmark.leaderboard.compare",
        "export": "zoo.dataset.export",
        "fetch": "zoo.hub.fetch",
        "import_zoo": "zoo.importers.import_zoo",
        "metanets": "metanets",
        "leaderboard": "benchmark.leaderboard.leaderboard",
        "load_model": "metanets",
        "model_release": "metanets.model_card",
        "load_results": "benchmark.records.load_results",
        "publish": "zoo.hub.publish",
        "release": "zoo.hub.release",
        "score": "benchmark.leaderboard.scores",
    }

    def __getattr__(name):
        """A public name, from the module that has it. Raises ImportError where another package shadows ours."""
        if name not in __all__:
            raise AttributeError(f"module 'metazoo' has no attribute {name!r}; it has {', '.join(__all__)}")
        _check_not_shadowed()
        home = importlib.import_module(_HOMES.get(name, "zoo"))
        globals()[name] = found = home if name == "metanets" else getattr(home, name)
        return found


def __dir__() -> list[str]:
    return [*__all__, "__version__", "main"]


def main() -> None:
    """The command line, once nothing shadows our packages; else a message, and exit code 1."""
    try:
        _check_not_shadowed()
    except ImportError as error:
        sys.exit(f"metazoo: {error}")
    from benchmark.cli.main import main as run

    run()


def _check_not_shadowed() -> None:
    """Raises ImportError where `zoo`, `metanets` or `benchmark` is found elsewhere than beside this file."""
    home = Path(__file__).resolve().parent
    for name in ("zoo", "metanets", "benchmark"):
        found, expected = _place(name), home / name / "__init__.py"
        if found is None:
            raise ImportError(f"there is no {expected}, which is a part of metazoo: install metazoo again")
        if found != expected:
            raise ImportError(
                f"{found} stands before metazoo's own package `{name}`, {expected.parent}: rename it, or start Python from "
                f"another folder or as `python -P`, which does not look into the working directory for modules"
            )


def _place(name: str) -> Path | None:
    """What `import name` gives: a file, or a folder without `__init__.py`. None: nothing."""
    spec = importlib.util.find_spec(name)
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    return next((Path(place).resolve() for place in places if place), None)


if __name__ == "__main__":
    main()
