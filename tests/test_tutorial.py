import runpy
import sys
from importlib.util import find_spec

import pytest
from conftest import ROOT

TUTORIAL = ROOT / "docs/tutorial.py"
JUPYTER = all(find_spec(name) for name in ("jupytext", "nbclient", "ipykernel"))


@pytest.mark.skipif(not JUPYTER, reason="needs jupytext, nbclient and ipykernel, of the dev extra")
@pytest.mark.filterwarnings("ignore")  # Jupyter's own, of event loops and paths
def test_the_tutorial_runs_as_a_notebook_to_its_last_result(tmp_path, monkeypatch):
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(TUTORIAL)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].source.startswith("# From images")
    (shown,) = cells[-1].outputs
    assert "w_asymmetric" in shown["data"]["text/plain"]
    pictures = [output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    said = [output for cell in cells for output in cell.outputs if output.output_type == "stream"]
    assert {output["name"] for output in said} == {"stdout"}


@pytest.mark.skipif(JUPYTER, reason="the notebook is run")
def test_the_tutorial_runs_without_jupyter(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tutorial"])
    made = runpy.run_path(str(TUTORIAL), run_name="tutorial")
    assert set(made["best"].index) == {"standard", "w_asymmetric"}
