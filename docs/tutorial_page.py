"""The tutorial's page: `python docs/tutorial_page.py` runs it on what `metazoo demo` left in data/demo."""

import base64
import textwrap
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).parents[1]
TUTORIAL, PAGE = ROOT / "docs/tutorial.py", ROOT / "docs/tutorial.md"
WIDTH = 105  # characters of a line
WIDE = "import pandas\npandas.set_option('display.max_columns', 20, 'display.width', 130)"  # tables are shown as text


def text(cells: list[Any], folder: Path) -> str:
    """The cells as Markdown, with what they print and show; pictures go to `folder`."""
    parts: list[str] = []
    for cell in cells:
        parts.append(cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```")
        printed = "".join(output["text"] for output in cell.get("outputs", ()) if output.output_type == "stream")
        shown = [output["data"] for output in cell.get("outputs", ()) if output.output_type != "stream"]
        parts += [block(printed)] * bool(printed)
        parts += [_shown(data, cell.source.splitlines()[-1], folder) for data in shown]
    return "\n\n".join(parts) + "\n"


def block(printed: str) -> str:
    """Text as it was printed, long lines broken."""
    lines = [textwrap.fill(line.rstrip(), WIDTH, subsequent_indent="    ") for line in printed.strip("\n").splitlines()]
    return "\n".join(["```text", *lines, "```"])


def _shown(data: dict[str, str], line: str, folder: Path) -> str:
    if "image/png" not in data:
        return block(data["text/plain"])
    picture = folder / f"tutorial-{line.split('(')[0].split('.')[-1]}.png"
    picture.write_bytes(base64.b64decode(data["image/png"]))
    return f"![`{line}`]({picture.name})"


def main() -> Path:
    """Runs the notebook, and writes the page and its pictures."""
    notebook = jupytext.read(TUTORIAL)
    notebook.cells.insert(0, new_code_cell(WIDE))
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    PAGE.write_text(text(notebook.cells[1:], PAGE.parent))
    return PAGE


if __name__ == "__main__":
    print(main())
