"""The rules of the house, as tests: the order of the rooms, no circles, and what no file may do."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest
from conftest import ROOT

ROOMS = (  # from the ground up: a room imports only rooms before it, and itself
    "zoo/messages.py",
    "zoo/booleans.py",
    "zoo/seeds.py",
    "zoo/untrusted",
    "zoo/nets",
    "zoo/tasks",
    "zoo/symmetry",
    "zoo/spec",
    "zoo/storage",
    "zoo/native",
    "zoo/training",
    "zoo/dataset",
    "zoo/landscape/orbits",
    "zoo/landscape",
    "zoo/verification.py",
    "zoo/jobs",
    "zoo/importers",
    "zoo/hub",
    "zoo/__init__.py",
    "metanets/inputs",
    "metanets/structured",
    "metanets/graphs",
    "metanets",
    "benchmark/records",
    "benchmark/statistics",
    "benchmark/scoring",
    "benchmark/analyses",
    "benchmark/reference",
    "benchmark/submissions",
    "benchmark/leaderboard",
    "benchmark/site",
    "benchmark/doctor",
    "benchmark/__init__.py",
    "benchmark/cli",
    "metazoo.py",
)
FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file
    for folder in ("zoo", "metanets", "benchmark", "metazoo.py")
    for file in ([ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py")))
    if "speed" not in file.parts  # scripts, no part of the package
}
IN_ONE_FILE = ("datasets", "torch_geometric", "huggingface_hub", "ray")


def named(module: str) -> str:
    return module.replace(".", "/")


def statements(module: str) -> list[ast.Import | ast.ImportFrom]:
    """The imports of a module, within functions and for types too."""
    return [node for node in ast.walk(ast.parse(FILES[module].read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]


def whole(module: str, node: ast.ImportFrom) -> str:
    """The module that a statement imports from, relative names resolved."""
    if not node.level:
        return node.module or ""
    parent = module.split(".")[: -node.level]
    return ".".join([*parent, *([node.module] if node.module else [])])


def imported(module: str) -> set[str]:
    """Every name that a module imports, whole, with what it is imported from."""
    found = set()
    for node in statements(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            found |= {whole(module, node), *(f"{whole(module, node)}.{alias.name}" for alias in node.names)}
    return found


def files_imported(module: str) -> set[str]:
    """The modules of the house that a module imports; of a package that hands names on, its `__init__`."""
    found = set()
    for node in statements(module):
        names = [alias.name for alias in node.names]
        wanted = names if isinstance(node, ast.Import) else [f"{whole(module, node)}.{name}" for name in names]
        for name in wanted:
            while name and name not in FILES and f"{name}.__init__" not in FILES:
                name = name.rpartition(".")[0]
            if name:
                found.add(name if name in FILES else f"{name}.__init__")
    return found - {module}


def room(module: str) -> int:
    """The number of the room that a module stands in: the one of the longest name."""
    path = named(module) + ".py"
    return ROOMS.index(max((r for r in ROOMS if path == r or path.startswith(r + "/")), key=len))


def top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("module", FILES, ids=named)
def test_a_room_imports_only_rooms_below_it(module):
    above = {named(other) for other in files_imported(module) if room(other) > room(module)}
    assert not above


def test_there_are_no_circles_not_within_functions_and_not_for_types_either():
    try:
        TopologicalSorter({module: files_imported(module) for module in FILES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_room_is_there_and_tells_what_it_is_for():
    for name in ROOMS:
        place = ROOT / name
        if place.suffix != ".py":
            assert (place / "__init__.py").is_file(), name
            assert ast.get_docstring(ast.parse((place / "__init__.py").read_text())), name


@pytest.mark.parametrize("library", IN_ONE_FILE)
def test_heavy_libraries_are_imported_in_one_file_each(library):
    assert sum(library in top(imported(module)) for module in FILES) <= 1


def test_torch_geometric_is_imported_in_the_room_of_graphs_alone():  # that all others do without is tested there
    assert [module for module in FILES if "torch_geometric" in top(imported(module))] == ["metanets.graphs.geometric"]


@pytest.mark.parametrize("module", FILES, ids=named)
def test_nothing_from_a_file_is_executed_and_no_salted_hash_is_used(module):
    text = FILES[module].read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "hash")
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                assert (keyword.arg, value) not in (("weights_only", False), ("allow_pickle", True))
    assert {name for name in imported(module) if name.startswith("pickle")} <= {"pickle", "pickle.UnpicklingError"}
    assert "pickle.load" not in text


def test_every_file_that_computes_is_imported_by_a_test():
    texts = [file.read_text() for file in (ROOT / "tests").rglob("*.py")]
    trees = [node for text in texts for node in ast.walk(ast.parse(text))]
    tests = {f"{node.module}.{alias.name}" for node in trees if isinstance(node, ast.ImportFrom) for alias in node.names}
    tests |= {node.module for node in trees if isinstance(node, ast.ImportFrom) and node.module}
    tests |= {alias.name for node in trees if isinstance(node, ast.Import) for alias in node.names}
    public = {
        f"zoo.jobs.{name}" for name in ("build", "main_guard", "ray", "status", "workers")
    }  # tested by the names handed on, or
    public |= {f"zoo.dataset.{name}" for name in ("mapped", "reader", "zoo_json")}  # by the table or verb above them
    public |= {"zoo.verification", "zoo.hub.remote_manifest", "zoo.untrusted.child_main", "zoo.untrusted.vetting.about"}
    public |= {f"metanets.{name}" for name in ("metanet", "mistakes", "regressor")}
    public |= {f"metanets.inputs.{name}" for name in ("hyper_parameters", "tensors", "vector")}
    public |= {"benchmark.records.version_2", "benchmark.records.readable", "benchmark.submissions.record_checks"}
    public |= {
        f"benchmark.cli.{name}"
        for name in (
            "terminal",
            "zoos",
            "symmetries",
            "landscape",
            "charges",
            "scores",
            "models",
            "specs",
            "references",
            "leaderboards",
            "hub",
        )
    }
    public |= {f"zoo.symmetry.{name}" for name in ("element", "canonical", "align")}
    public |= {"benchmark.scoring.job", "benchmark.scoring.channel"}
    for module, file in FILES.items():
        computes = any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(file.read_text())))
        if computes and file.stem != "__init__":
            assert module in tests | public, module
