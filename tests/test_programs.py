"""Programs beside the command, `python -m benchmark...`: what is wrong with what they are given is said on one line."""

import importlib

import pytest
from test_house import FILES

TAKE = {
    "benchmark.leaderboard.power": 1,
    "benchmark.analyses.ceiling": 1,
    "benchmark.analyses.aligned": 1,
    "benchmark.analyses.precision": 2,
    "benchmark.analyses.directions": 2,
}  # folders


def test_every_program_that_takes_arguments_ends_in_words():
    found = {name: file.read_text() for name, file in FILES.items() if name.startswith("benchmark.")}
    programs = {name for name, text in found.items() if "\nif __name__" in text and "ArgumentParser" in text}
    assert programs == {name for name, text in found.items() if "\n@ending_in_words()\ndef main" in text}
    assert TAKE.keys() <= programs


@pytest.mark.parametrize("name", TAKE)
@pytest.mark.parametrize("there", [False, True], ids=["none", "empty"])
def test_a_folder_with_nothing_in_it_is_named_on_one_line(name, there, tmp_path, monkeypatch):
    folder = tmp_path if there else tmp_path / "none"
    monkeypatch.setattr("sys.argv", [f"{name.split('.')[-1]}.py", *[str(folder)] * TAKE[name]])
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(name).main()
    (line,) = str(stop.value.code).splitlines()
    assert line.startswith(f"{name.split('.')[-1]}: {folder}")
