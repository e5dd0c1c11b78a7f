"""The rules of the house, as tests."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

MAY_IMPORT = {"zoo": {"zoo"}, "metanets": {"zoo", "metanets"}, "benchmark": {"zoo", "metanets", "benchmark"}}
FOLDERS = ("zoo", "zoo/importers", "zoo/vetting", "metanets", "benchmark", "benchmark/verbs")
FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).glob("*.py"))]
IN_ONE_FILE = ("datasets", "torch_geometric", "huggingface_hub", "ray")


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imported(file: Path) -> set[str]:
    """Every module that a file imports, with its parents."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def top(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("file", FILES, ids=named)
def test_rooms_import_one_way_only(file):
    assert top(imported(file)) & MAY_IMPORT.keys() <= MAY_IMPORT[file.relative_to(ROOT).parts[0]]


@pytest.mark.parametrize("library", IN_ONE_FILE)
def test_heavy_libraries_are_imported_in_one_file_each(library):
    assert sum(library in top(imported(file)) for file in FILES) <= 1


@pytest.mark.parametrize("file", FILES, ids=named)
def test_nothing_from_a_file_is_executed_and_no_salted_hash_is_used(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "hash")
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                assert (keyword.arg, value) not in (("weights_only", False), ("allow_pickle", True))
    assert {module for module in imported(file) if module.startswith("pickle")} <= {"pickle", "pickle.UnpicklingError"}
    assert "pickle.load" not in file.read_text()


def test_every_file_that_computes_is_imported_by_a_test():
    tests = set().union(*(imported(file) for file in (ROOT / "tests").glob("test_*.py")))
    public = {f"zoo.{name}" for name in ("build", "cluster", "description", "reader", "status", "verify", "workers")}
    public |= {"benchmark.cli.terminal", *(f"benchmark.cli.{name}" for name in ("zoos", "scores", "boards", "travel"))}
    for file in FILES:
        module = named(file).removesuffix(".py").replace("/", ".")
        computes = any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(file.read_text())))
        if computes and file.stem != "__init__":
            assert module in tests | public, module
