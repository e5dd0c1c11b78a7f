import re
import runpy
import shutil
import sys
from importlib.util import find_spec

import pytest
from conftest import ROOT

from benchmark.scoring.score import score

TUTORIAL = ROOT / "docs/tutorial.py"
JUPYTER = all(find_spec(name) for name in ("jupytext", "nbclient", "ipykernel"))
FEW = {"[16, 32, 64]": "[16, 24]"}  # of the demo's training nets, and of those of the small zoos


@pytest.fixture
def home(standard, asymmetric, tmp_path):
    """A folder with a small data/demo."""
    demo = tmp_path / "data/demo"
    for name, made in {"standard": standard, "w_asymmetric": asymmetric}.items():
        shutil.copytree(made, demo / "zoos" / name)
    names = ["probe_and_weights", "trees_hyper_parameters", "gp_hyper_parameters", "trees_statistics"]
    score(sorted(demo.glob("zoos/*")), names, "test_accuracy", out=demo / "results", seeds=2)
    return tmp_path


def of_small_zoos(text: str) -> str:
    """The tutorial's code for zoos with fewer nets and records than the demo's."""
    for found, replacement in {**FEW, '"statnn", "probe': '"trees_statistics", "probe', "seeds=3": "seeds=1"}.items():
        assert text.count(found) <= 1
        text = text.replace(found, replacement)
    return text


@pytest.mark.skipif(not JUPYTER, reason="needs jupytext, nbclient and ipykernel, of the dev extra")
@pytest.mark.filterwarnings("ignore")  # Jupyter's own, of event loops and paths
def test_the_tutorial_runs_as_a_notebook_to_its_last_result(home, tmp_path, monkeypatch):
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.reads(of_small_zoos(TUTORIAL.read_text()), fmt="py:percent")
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(home)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].source.startswith("# What can weights tell?")
    (shown,) = cells[-1].outputs
    assert "w_asymmetric" in shown["data"]["text/plain"]
    pictures = [output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    said = [output for cell in cells for output in cell.outputs if output.output_type == "stream"]
    assert {output["name"] for output in said} == {"stdout"}
    page = runpy.run_path(str(ROOT / "docs/tutorial_page.py"))["text"](notebook.cells, tmp_path)
    assert page.count("](tutorial-") == len(list(tmp_path.glob("tutorial-*.png"))) == 2


@pytest.mark.skipif(JUPYTER, reason="the notebook is run")
def test_the_tutorial_runs_without_jupyter(home, monkeypatch):
    code = home / "tutorial.py"
    code.write_text(of_small_zoos(TUTORIAL.read_text()))
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["tutorial"])
    made = runpy.run_path(str(code), run_name="tutorial")
    assert set(made["cells"]["family"]) == {"standard", "w_asymmetric"}


def test_the_tutorials_page_is_of_its_cells():
    """`python docs/tutorial_page.py` writes it anew, with what the cells show on the demo's zoos."""
    page = (ROOT / "docs/tutorial.md").read_text()
    _, *cells = re.split(r"^# %%(.*)\n", TUTORIAL.read_text(), flags=re.MULTILINE)
    for kind, cell in zip(cells[::2], cells[1::2], strict=True):
        text = cell.strip().strip('"').strip() if kind else cell.strip()
        assert (re.sub(r"^# ?", "", text, flags=re.MULTILINE) if kind and not cell.startswith('"') else text) in page
