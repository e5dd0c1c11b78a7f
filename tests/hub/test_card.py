import re
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import datasets
import pandas as pd
import pytest
import yaml
from conftest import ROOT, small
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt
from stores import lay_out

import zoo
from zoo.dataset.summary import summary
from zoo.hub.card import BATCH, IMAGES, SIZES, card, code, columns, front_matter, link, meanings, plain
from zoo.hub.citation import About
from zoo.hub.release import release
from zoo.nets.families import FAMILIES
from zoo.spec import imported
from zoo.tasks.image_tasks import TASKS

HOSTILE = "<img src=x onerror=alert(1)> | `a` *b* __c__ [d](javascript:e) <!-- $$f$$ &lt; ~~g~~ \\ # -->"
PLAIN = imported.parse(
    {
        "name": "x",
        "family": "other",
        "architecture": "cnn",
        "image_task": "unheard-of",
        "dtype": "float32",
        "split": "by hand",
        "provenance": {"kind": "a", "title": "b", "url": "", "licence": "", "citation": "", "files": {}},
        "hyper_parameters": {},
        "targets": {"test_accuracy": "as others measured it"},
        "columns": {"lineage": "which run"},
    },
    "test",
)
TASK_NAMES, FAMILY_NAMES = sorted(TASKS), sorted(FAMILIES)


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    spec = small("w_asymmetric", dtype="float16", nets=16, trajectory=(0, 1))
    return zoo.build(spec, tmp_path_factory.mktemp("zoos") / "half", workers=1)


@pytest.fixture(scope="module")
def folder(standard, half, tmp_path_factory):
    return lay_out(release([standard, half], name="Two zoos"), tmp_path_factory.mktemp("release"))


@pytest.fixture
def zoos(standard, asymmetric):
    return {"a": zoo.open(standard), "b": zoo.open(asymmetric)}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def shown(markdown: str) -> Page:
    """The card's body as a reader of Markdown with raw HTML, tables and strike-through shows it."""
    page = Page()
    body = markdown.split("---\n", 2)[2] if markdown.startswith("---\n") else markdown
    page.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(body))
    return page


def test_the_front_matter_names_each_shard_once_in_the_split_that_it_belongs_to(folder):
    found = DatasetCard.load(folder / "README.md").data.to_dict()
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*.h5")]
    assert len(paths) == 6
    for path in paths:
        named = [
            (config["config_name"], files["split"])
            for config in found["configs"]
            for files in config["data_files"]
            if fnmatch(path, files["path"])
        ]
        assert named == [(path.split("/")[0], Path(path).name.split("-")[0])]


def test_the_front_matter_is_what_the_hub_and_datasets_read(folder):
    found = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert (found["license"], found["pretty_name"], found["size_categories"]) == ("cc-by-4.0", "Two zoos", ["n<1K"])
    assert [config.get("default") for config in found["configs"]] == [True, None]
    assert [config["batch_size"] for config in found["configs"]] == [BATCH, BATCH]
    assert DatasetCard.load(folder / "README.md").data.license == "cc-by-4.0"


def test_a_split_without_nets_is_not_named(zoos):
    first = replace(zoos["a"], parts={**zoos["a"].parts, "test": ()})
    (config,) = yaml.safe_load(front_matter({"a": first}, About("x")))["configs"]
    assert [files["split"] for files in config["data_files"]] == ["train", "validation"]


@pytest.mark.parametrize(("nets", "category"), [(999, "n<1K"), (1000, "1K<n<10K"), (20_000, "10K<n<100K")])
def test_the_size_is_in_the_hubs_categories(zoos, nets, category):
    first = replace(zoos["a"], columns=pd.DataFrame({"index": range(nets)}))
    assert yaml.safe_load(front_matter({"a": first}, About("x")))["size_categories"] == [category]
    assert [*SIZES.values()] == sorted(SIZES.values())


def test_the_cards_code_runs_as_it_stands(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    text = (folder / "README.md").read_text()
    assert len(blocks(text, "python")) == 5
    for block in blocks(text, "python"):
        local = block.replace("hf://datasets/USER/NAME", str(folder)).replace("USER/NAME", str(folder))
        assert local != block
        exec(compile(local, "card", "exec"), {})
    printed = capsys.readouterr().out
    assert "torch.Size([8, 1384])" in printed
    assert "torch.float16" in printed
    assert "['index', 'weights']\n" in printed
    sizes = pd.read_parquet(folder / "index.parquet").groupby(["config", "split"]).size()
    assert printed.endswith(f"{sizes}\n")


def test_the_cards_check_passes_and_finds_an_altered_byte(standard, tmp_path):
    folder = lay_out(release([standard], name="x"), tmp_path)
    (check,) = [block for block in blocks((folder / "README.md").read_text(), "bash") if "sha256sum" in block]
    assert subprocess.run(["bash", "-euc", check], cwd=folder, capture_output=True).returncode == 0
    (folder / "README.md").write_text("altered")
    assert subprocess.run(["bash", "-euc", check], cwd=folder, capture_output=True).returncode != 0


def test_the_cards_commands_run_as_they_stand(folder, tmp_path):
    (fetch,) = [block for block in blocks((folder / "README.md").read_text(), "bash") if "metazoo" in block]
    local = fetch.replace("hf://datasets/USER/NAME", str(folder))
    assert local != fetch
    metazoo = f'metazoo() {{ "{sys.executable}" -c "from benchmark.cli.main import main; main()" "$@"; }}\n'
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-euc", metazoo + local], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert zoo.open(tmp_path / "resnet8-standard").manifest_sha256 in (folder / "zoo.json").read_text()


def test_every_picture_of_the_card_is_in_the_release_and_the_other_way_round(folder):
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (folder / "README.md").read_text())
    pictures = sorted(str(path.relative_to(folder)) for path in folder.glob("pictures/*.png"))
    assert sorted(linked) == pictures
    for path in pictures:
        data = (folder / path).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert b"matplotlib" not in data.lower()  # nor its version


def test_the_tables_have_the_summarys_counts_and_quantiles(zoos):
    text = card(zoos, About("x"), pictures={})
    for name, one in zoos.items():
        found = summary(one)
        counts = " | ".join(str(split["nets"]) for split in found["nets"].values())
        assert re.search(rf"^\| `{name}` \| .* \| {counts} \|$", text, flags=re.MULTILINE)
        numbers = " | ".join(f"{value:.4g}" for value in found["quantiles"]["test_accuracy"])
        assert f"| `test_accuracy` | | {numbers} |" in text
        low, high = found["ranges"]["learning_rate"]
        assert f"| `learning_rate` | {low:.4g} to {high:.4g}, log-uniform |" in text


def test_diverged_nets_are_counted(zoos):
    columns = zoos["a"].columns
    first = replace(zoos["a"], columns=columns.assign(diverged=columns["index"] == 0))
    assert f"({1} diverged)" in card({"a": first}, About("x"), pictures={})
    assert "diverged)" not in card(zoos, About("x"), pictures={})


def test_text_of_zoos_and_publishers_is_shown_as_it_is_and_never_becomes_html(zoos):
    provenance = replace(PLAIN.provenance, **dict.fromkeys(("kind", "title", "licence", "citation"), HOSTILE))
    provenance = replace(provenance, url="https://a.org/*b*_c_|`d`", notes=(HOSTILE, "- x", "1. y", "---", "``` z"))
    spec = replace(
        PLAIN,
        provenance=provenance,
        split=HOSTILE,
        hyper_parameters={"activation": HOSTILE},
        targets={"test_accuracy": HOSTILE},
        columns={"lineage": HOSTILE},
        text=("activation",),
    )
    words = pd.Series([HOSTILE, "relu"] * 32).astype("category")
    first = replace(zoos["a"], spec=spec, columns=zoos["a"].columns.assign(activation=words))
    page = shown(card({"a": first}, About(HOSTILE, authors=HOSTILE), pictures={"pictures/a.png": HOSTILE}))
    assert page.text.count(HOSTILE) == 1 + 6 + 3 + 1
    assert "https://a.org/*b*_c_|`d`." in page.text
    assert page.text.count("not known to metazoo") == 2
    for note in ("- x", "1. y", "---", "``` z"):
        assert f"\n{note}\n" in page.text
    plain_card = shown(card({"a": zoos["a"]}, About("x"), pictures={"pictures/a.png": "b"}))
    assert page.tags <= plain_card.tags


@pytest.mark.parametrize(
    "text",
    [HOSTILE, "a\nb", "# a", "- a", "+ a", "1. a", "2) a", "---", "===", "> a", "-0.5", r"a\*b\|c\<d", "a_b_c", "~~~"],
)
def test_plain_text_is_shown_as_it_is(text):
    page = shown(plain(text))
    assert page.text.strip() == " ".join(text.split())
    assert page.tags == {"p"}


def test_where_zoos_differ_in_what_a_column_is_each_says_its_own(zoos):
    other = replace(zoos["b"], spec=PLAIN)
    found = meanings({"a": zoos["a"], "b": other})
    assert found["test_accuracy"] == "a: share of the test images classified rightly; b: as others measured it"
    assert found["epochs"] == columns(zoos["a"])["epochs"]
    assert found["lineage"] == "which run"
    assert meanings(zoos) == columns(zoos["a"])


def test_an_address_is_a_link_and_anything_else_is_not():
    assert shown(link("https://a.org/b_c?d=e&f")).tags == {"p", "a"}
    for text in ("javascript:alert(1)", "https://a.org/> <b>", "https://a.org/\n", "x"):
        assert shown(link(text)).tags == {"p"}


def test_a_name_is_code_and_anything_else_is_not():
    assert code("w_asymmetric") == "`w_asymmetric`"
    assert shown(code("a`<b>")).text.strip() == "a`<b>"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a\nb"),
        ("name", " "),
        ("name", "a" * 201),
        ("licence", "<b>"),
        ("licence", "mit\n"),
        ("authors", "a\u2028b"),
        ("repository", "a/b/c"),
        ("repository", '"); evil("/x'),
        ("url", "javascript:alert(1)"),
        ("url", "https://a.org/}x"),
        ("date", "yesterday"),
        ("date", "20261121"),
        ("version", "1.0"),
    ],
)
def test_what_a_publisher_says_has_its_form(field, value):
    with pytest.raises(ValueError, match=r"of a release: found|Invalid isoformat"):
        About(**{"name": "x", field: value})


def test_an_imported_zoo_says_where_it_comes_from_and_how_it_is_split(zoos):
    text = card({"a": zoos["a"], "b": replace(zoos["b"], spec=PLAIN)}, About("x"), pictures={})
    assert "imported (a): b.\nLicence: not stated. To cite: not stated.\nSplits: by hand.\n" in text
    assert "Splits of zoos built with metazoo were decided before training" in text
    assert "what was imported stays under the licence of its source" in text
    assert "imported" not in card(zoos, About("x"), pictures={})


@pytest.mark.parametrize("task", TASK_NAMES)
def test_every_image_task_has_its_terms_with_who_states_them(task):
    assert "stated by" in IMAGES[task].terms
    assert IMAGES[task].cite


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_family_is_described(family):
    assert FAMILIES[family].text


def test_the_citations_are_those_of_the_repository(zoos):
    (bibtex,) = blocks(card(zoos, About("x"), pictures={}), "bibtex")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (paper,) = cited["references"]
    assert f"title = {{{cited['title']}}}" in bibtex
    assert f"Version {cited['version']}" in bibtex
    assert f"title = {{{paper['title']}}}" in bibtex
    authors = " and ".join(f"{one['family-names']}, {one['given-names']}" for one in paper["authors"])
    assert f"author = {{{authors}}}" in bibtex
    assert paper["identifiers"][0]["value"] in bibtex


def test_a_release_with_authors_is_cited_with_them(zoos):
    about = About("Zoos & more", authors="Doe, J_n", url="https://a.org/b", date="2026-11-21", version="1.2.3")
    (bibtex,) = blocks(card(zoos, about, pictures={}), "bibtex")
    assert bibtex.startswith(
        "@misc{this_release,\n  title = {Zoos \\& more},\n  author = {Doe, J\\_n},\n  year = {2026},\n"
        "  howpublished = {\\url{https://a.org/b}},\n  note = {Version 1.2.3},\n}\n\n@misc{metazoo,"
    )
    assert "this_release" not in card(zoos, About("x"), pictures={})


def test_scores_are_put_in_as_they_are_and_left_out_where_there_are_none(zoos):
    assert "## Scores\n\n| a |\n| --- |\n\n## Licences" in card(zoos, About("x"), pictures={}, scores="\n| a |\n| --- |\n")
    assert "## Scores" not in card(zoos, About("x"), pictures={})


def test_float16_and_trajectories_are_spoken_of_only_where_there_are_any(zoos, half):
    with_both = card({"c": zoo.open(half)}, About("x"), pictures={})
    without = card(zoos, About("x"), pictures={})
    for words in ("torch.float16", "features=wanted", "`trajectory`"):
        assert words in with_both
        assert words not in without


def test_code_loads_the_repository_that_is_given(zoos):
    text = card(zoos, About("x", repository="me/mine"), pictures={})
    assert "USER/NAME" not in text
    assert 'load_dataset("me/mine", "a")' in text
