"""The one import for people, and what an installation has."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

import metazoo
import zoo
from benchmark.leaderboard.scores import score

PACKAGES = ("benchmark", "metanets", "zoo")
SCRIPT = "import sys\nfrom metazoo import main\nif __name__ == '__main__':\n    sys.exit(main())\n"  # as pip writes it
BUILD = "import setuptools.build_meta as b, sys; _, w, e = sys.argv; b.build_wheel(w), b.build_editable(e)"


def python(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a working directory, with our packages behind it on the path, as an editable install has them."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)


def ways(tmp_path: Path) -> dict[str, tuple[object, ...]]:
    """The ways to metazoo: as a module, by an import, by the command that pip installs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/metazoo").write_text(SCRIPT)
    by_import = "import metazoo; print(metazoo.open.__module__)"
    return {"-m": ("-m", "metazoo", "--version"), "-c": ("-c", by_import), "bin": (tmp_path / "bin/metazoo", "--version")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and an editable wheel of a copy of the project, each in a folder of its name."""
    folder = tmp_path_factory.mktemp("built")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("metazoo.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "copy" / name)
    done = python(folder / "copy", "-c", BUILD, folder / "wheel", folder / "editable", PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_is_there_and_is_the_one_of_its_package():
    for name in metazoo.__all__:
        assert getattr(metazoo, name) is not None, name
    assert (metazoo.open, metazoo.Zoo, metazoo.score) == (zoo.open, zoo.Zoo, score)
    assert set(metazoo.__all__) <= set(dir(metazoo))
    assert set(zoo.__all__) - {"Status"} <= set(metazoo.__all__)


def test_a_name_that_is_not_there_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        metazoo.opne  # noqa: B018 - asking is the test


def test_importing_and_the_version_wait_for_neither_torch_nor_pandas(tmp_path):
    code = "import metazoo, sys; print(metazoo.__version__, [m for m in ('torch', 'pandas', 'zoo') if m in sys.modules])"
    assert python(tmp_path, "-c", code).stdout == f"{metazoo.__version__} []\n"


def test_the_version_is_the_citations_and_the_changelogs():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == metazoo.__version__
    assert f"\n## [{metazoo.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("way", ["-m", "-c", "bin"])
def test_folders_of_ones_own_without_init_shadow_nothing(tmp_path, way):
    for name in ("zoo", "metanets", "benchmark"):
        (tmp_path / "here" / name).mkdir(parents=True)
    done = python(tmp_path / "here", *ways(tmp_path)[way])
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("zoo.hub.fetch\n" if way == "-c" else f"metazoo {metazoo.__version__}\n")


@pytest.mark.parametrize("name", ["zoo/__init__.py", "metanets/__init__.py", "benchmark.py"])
@pytest.mark.parametrize("way", ["-m", "-c"])
def test_a_package_or_module_of_ones_own_is_named_with_what_to_do_and_not_run(tmp_path, way, name):
    own = tmp_path / "here" / name
    own.parent.mkdir(parents=True)
    own.write_text("raise SystemExit('it ran')")
    command = ways(tmp_path)[way]
    done = python(own.parent if name == "benchmark.py" else own.parent.parent, *command)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{'metazoo' if way == '-m' else 'ImportError'}: {own} stands before metazoo's own package")
    assert "rename it" in last
    assert len(done.stderr.splitlines()) == 1 or way == "-c"
    assert python(tmp_path / "here", "-P", *command).returncode == 0  # what the message says to do


def test_the_installed_command_does_not_look_into_the_working_directory(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo/__init__.py").write_text("raise SystemExit('it ran')")
    assert python(tmp_path, *ways(tmp_path)["bin"]).stdout == f"metazoo {metazoo.__version__}\n"


def test_a_package_of_that_name_that_was_imported_before_is_named_too(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo/__init__.py").write_text("")
    done = python(tmp_path, "-c", "import sys, zoo; sys.path.remove(''); import metazoo; metazoo.open")
    assert f"ImportError: {tmp_path}/zoo/__init__.py stands before" in done.stderr


def test_a_wheel_has_every_file_of_the_packages_and_nothing_else(built):
    (wheel,) = (built / "wheel").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entries,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/entry_points.txt"))
    files = [file.relative_to(built / "copy") for name in PACKAGES for file in (built / "copy" / name).rglob("*")]
    speed = Path("benchmark/speed")  # scripts to measure with, no part of the package
    kept = {str(f) for f in files if (built / "copy" / f).is_file() and f.name != "README.md" and speed not in f.parents}
    assert found == {*kept, "metazoo.py"}
    assert {f"{name}/py.typed" for name in PACKAGES} <= found
    assert entries.split() == ["[console_scripts]", "metazoo", "=", "metazoo:main"]


def test_an_editable_install_is_a_path_so_that_our_packages_stand_before_folders_without_init(built):
    (wheel,) = (built / "editable").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        outside = {name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" not in name}
    assert [text.strip() for text in outside.values()] == [str(built / "copy")]
    assert [Path(name).suffix for name in outside] == [".pth"]
