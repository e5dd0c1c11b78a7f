import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.tables import to_markdown
from benchmark.records import records

ROOMS = ("zoo", "zoo/importers", "zoo/vetting", "metanets", "benchmark", "benchmark/verbs")
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_readmes_commands_and_code_run_as_they_stand(tmp_path):
    metazoo = f'metazoo() {{ "{sys.executable}" -c "from benchmark.cli.main import main; main()" "$@"; }}\n'
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    for language, command in (("bash", ["bash", "-euc"]), ("python", [sys.executable, "-c"])):
        assert blocks(language)
        for block in blocks(language):
            code = metazoo + block if language == "bash" else block
            done = subprocess.run([*command, code], cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "net-3.safetensors").exists()


def test_every_file_has_its_line_in_the_readme():
    named = set(re.findall(r"[\w/]+\.py", README))
    for room in ROOMS:
        for file in sorted(Path(ROOT / room).glob("*.py")):
            assert file.name == "__init__.py" or {f"{room}/{file.name}", file.name} & named, f"{room}/{file.name}"


def test_every_file_that_the_readme_names_exists():
    for name in set(re.findall(r"\b(?:zoo|metanets|benchmark)/\w+\.py", README)):
        assert (ROOT / name).is_file(), name


def test_the_readmes_leaderboards_are_those_of_the_records_in_git():
    boards = leaderboard(ROOT / "data/results").boards()
    assert len(boards) == README.count("| metanet |")
    for board in boards:
        assert to_markdown(board).strip() in README


def test_every_record_in_git_has_its_predictions():
    paths = sorted((ROOT / "data/results").glob("**/seed-*.json"))
    assert paths
    for path in paths:
        frame = records.read_predictions(path, records.read(path))
        assert set(frame["split"]) == {"validation", "test"}
