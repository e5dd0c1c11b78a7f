import dataclasses
import json
import shlex
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from imported_zoo import foreign
from made_records import BASELINE

import zoo as zoos
from benchmark.analyses.certificates import Certificate, Change, keep
from benchmark.cli import main
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.names import INSIDE
from benchmark.records import records
from benchmark.records.records import Method, Record, Task, ZooReference
from benchmark.site import pages as contents
from benchmark.site.site import printable, site, web_address
from benchmark.site.site_data import TIERS, gathered, reference
from benchmark.site.svg import slug
from benchmark.site.unchanged import GENERATOR
from benchmark.site.writing import write
from benchmark.statistics.derived import derived
from benchmark.submissions.submission import submission
from benchmark.submissions.verification import FOLDER, verify
from zoo.importers.source_zoo import write as write_zoo
from zoo.storage import files

EVIL, CLIMBING, MATHS = "<img src=x onerror=alert(1)>", "../../../etc/passwd", "_$\\frac{"
NETS = 40
SIZES = {"statnn": 119297, "deepsets": 8897, BASELINE: None, EVIL: 17, CLIMBING: 2, MATHS: 3}
STANDARD = ZooReference(name="digits-resnet8-standard", family="standard", manifest_sha256="a" * 64)
ASYMMETRIC = ZooReference(name="digits-resnet8-w_asymmetric", family="w_asymmetric", manifest_sha256="b" * 64)
VOID = {"meta", "link", "img", "input", "br"}


def put(folder: Path, metanet: str, zoo=STANDARD, *, fitted_on=None, train_nets=None, noise=0.3, seeds=2, command="metazoo"):
    """Records of made-up predictions, one a seed."""
    true = np.random.default_rng(0).uniform(0.2, 0.9, NETS)
    nets = {"train": train_nets or 64, "validation": NETS, "test": NETS}
    task = Task("test_accuracy", "trained", fitted_on or zoo, zoo, None, train_nets, nets, 0)
    for seed in range(seeds):
        guess = true + noise * np.random.default_rng([seed, len(metanet)]).normal(0, 0.2, NETS)
        frame = pd.DataFrame({"index": np.arange(NETS), "split": "test", "target": true, "prediction": guess})
        frame = pd.concat([frame.assign(index=frame["index"] + NETS, split="validation"), frame], ignore_index=True)
        given = derived(frame)
        path = folder / zoo.label() / slug(task.name()) / slug(metanet) / f"seed-{seed}.json"
        reference, data = records.predictions_file(path, frame)
        record = Record(
            schema=records.SCHEMA,
            task=task,
            metanet=Method(metanet, 1, metanet == BASELINE, SIZES[metanet]),
            seed=seed,
            tuned={"code": "https://example.org/code", "bad": "javascript:alert(1)"},
            chosen={"learning_rate": 0.001},
            validation=given.validation,
            test=given.test,
            test_split="once, after all choices",
            constant_prediction=False,
            predictions=reference,
            command=command,
            seconds=2.5 + seed,
            date="2026-11-21",
            environment={"cpu": "<b>fast</b>"},
        )
        records.write(path, record, data)
    return path.parent


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Records of two zoos, transfer between them, a curve, and names that mean harm."""
    folder = tmp_path_factory.mktemp("results")
    for number, name in enumerate(SIZES):
        put(folder, name, noise=0.1 + 0.2 * number, command=f"metazoo score --metanet '{name}'")
        put(folder, name, ASYMMETRIC, noise=0.1)
    put(folder, "statnn", fitted_on=ASYMMETRIC, noise=9)
    put(folder, "statnn", ASYMMETRIC, fitted_on=STANDARD, noise=2)
    for name in ("statnn", MATHS):
        put(folder, name, train_nets=16)
        put(folder, name, train_nets=32)
    return folder


@pytest.fixture(scope="module")
def made(results, tmp_path_factory) -> Path:
    """The site of these records."""
    return write(results, tmp_path_factory.mktemp("sites") / "site").parent


@pytest.fixture(scope="module")
def cells(results) -> pd.DataFrame:
    """What the leaderboard says of these records."""
    return leaderboard(results).cells


class Page(HTMLParser):
    """A page's tags with their attributes, its text, and the rows of its tables; checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        assert len(attributes) == len(dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def text(self) -> str:
        return "".join(self.words)


def pages(folder: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}


def test_pages_nest_their_tags_have_a_title_a_language_and_landmarks_and_ids_are_unique(made):
    for path, page in pages(made).items():
        names = [tag for tag, _ in page.tags]
        assert [names.count(name) for name in ("html", "title", "main", "header", "footer", "h1")] == [1] * 6, path
        assert ("html", {"lang": "en"}) in page.tags
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")


def test_every_link_and_picture_is_a_file_of_the_site_and_nothing_is_loaded_from_elsewhere(made):
    reached = set()
    for path, page in pages(made).items():
        ids = {attributes.get("id") for _, attributes in page.tags}
        for tag, attributes in page.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes), path
            assert (tag, attributes.get("src", "")) != ("script", ""), path
            for where in (attributes.get("href"), attributes.get("src")):
                if where is None or where == "data:,":
                    continue
                if where.startswith("#"):
                    assert where[1:] in ids
                elif where.startswith("https://"):
                    assert tag == "a"
                else:
                    file = (path.parent / unquote(where)).resolve()
                    assert file.is_file(), (path, where)
                    assert file.is_relative_to(made.resolve())
                    reached.add(file)
    everything = {path.resolve() for path in made.rglob("*") if path.is_file()}
    assert everything - reached <= {(made / "index.html").resolve()}
    for path in made.rglob("*.svg"):
        assert "http" not in path.read_text().replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
            "http://creativecommons.org/", ""
        )
    assert "url(" not in (made / "style.css").read_text()


def test_names_of_others_are_shown_as_text_and_lead_nowhere(made):
    for path, page in pages(made).items():
        assert not any(attributes.get("src") == "x" for _, attributes in page.tags), path
        assert not any("javascript:" in (attributes.get("href") or "") for _, attributes in page.tags), path
        assert not any(tag == "b" for tag, _ in page.tags), path
    index = Page((made / "index.html").read_text()).text()
    assert EVIL in index
    assert CLIMBING in index
    evil = Page((made / f"metanets/{slug(EVIL)}.html").read_text())
    assert f"metazoo score --metanet '{EVIL}'" in evil.text()
    assert ("https://example.org/code", "noopener noreferrer nofollow") in [
        (attributes.get("href"), attributes.get("rel")) for _, attributes in evil.tags
    ]
    assert "javascript:alert(1)" in evil.text()
    assert len(list((made / "metanets").iterdir())) == len(SIZES)


def test_slugs_are_safe_and_differ_where_names_do():
    names = ["a/b", "a-b", "A-B", "..", "../..", "CON", "", "é" * 300, "x" * 199 + "y", "x" * 200, "\ud800"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(len(one) < 80 and set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for one in slugs)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//a.org", "http://", "https://a b", "https://[", 3]
)
def test_only_web_addresses_become_links(address):
    assert web_address(address) == ""
    assert web_address("https://a.org/b?c=d#e") == "https://a.org/b?c=d#e"


def test_letters_that_hide_or_turn_text_are_replaced():
    assert printable("a\u202eb\x00c\ud800\nd\u2028") == "a\ufffdb\ufffdc\ufffd\nd\ufffd"


def test_a_lite_run_its_external_data_and_its_validation_score_are_shown(tmp_path):
    lite = dataclasses.replace(STANDARD, name="tiny-digits-resnet8-standard")
    about = {"code_url": "https://example.org/x", "commit": "0" * 40, "contact": "me", "citation": "x"}
    for name, zoo, data in (("statnn", lite, "CIFAR-100 <nets>"), ("deepsets", STANDARD, "none")):
        told = dataclasses.asdict(submission(**about, external_data=data))
        files.write_json(put(tmp_path, name, zoo) / "submission.json", told)
    pages = site(tmp_path, [])
    one, two = (
        Page(pages[f"metanets/{slug(f'{name} (submitted by me)')}.html"].decode()).text() for name in ("statnn", "deepsets")
    )
    assert [words in one for words in ("Lite", "learned from more", "CIFAR-100 <nets>", "validation R²")] == [True] * 4
    assert [words in two for words in ("Lite", "learned from more", "as statednone", "validation R²")] == [
        False,
        False,
        True,
        True,
    ]
    scores = [derived(one.frame).validation["r2"] for one in records.load(tmp_path) if one.record.metanet.name == "deepsets"]
    board = leaderboard(tmp_path).cells.set_index("metanet")
    assert board["validation_r2"]["deepsets (submitted by me)"] == pytest.approx(np.mean(scores))


def test_a_citation_keeps_its_tabs_and_spaces(tmp_path):
    citation = "@misc{a,\r\n\ttitle={One\u00a0two}}"
    about = submission(
        code_url="https://example.org/x", commit="0" * 40, contact="me", citation=citation, external_data="none"
    )
    files.write_json(put(tmp_path, "statnn") / "submission.json", dataclasses.asdict(about))
    assert citation in Page(site(tmp_path, [])[f"metanets/{slug('statnn (submitted by me)')}.html"].decode()).text()


def test_numbers_of_the_tables_are_those_of_the_leaderboard(made, cells):
    found = {}
    task, row = None, None
    for tag, attributes in Page((made / "index.html").read_text()).tags:
        if tag == "table":
            task = attributes["id"]
        elif tag == "th" and attributes.get("scope") == "row":
            row = attributes["data-v"]
        elif tag == "td" and "data-kind" in attributes:
            value = attributes["data-v"]
            found.setdefault((task, row, attributes["data-kind"]), []).append(float(value) if value else None)
    assert sum(map(len, found.values())) == sum(
        len(part) * (5 if part["gain"].notna().any() else 2) for _, part in cells.groupby(["task", "board"])
    )
    for (task, board), part in cells.groupby(["task", "board"]):
        table = f"table-{slug(f'{task} of {board} nets')}"
        for name, rows in part.groupby("metanet"):
            for kind in ("r2", "tau", "gain", "r2_beyond", "tau_beyond"):
                column = f"{kind}_mean" if kind in ("r2", "tau") else kind
                wanted = [None if pd.isna(value) else value for value in rows[column]]
                assert found.get((table, name, kind), [None] * len(wanted)) == wanted
    plain = cells[(cells["metanet"] == "statnn") & (cells["task"] == "test_accuracy")].iloc[0]
    text = Page((made / "index.html").read_text()).text()
    assert f"{plain['r2_mean']:.3f}±{plain['r2_std']:.3f} [{plain['r2_low']:.2f}, {plain['r2_high']:.2f}]" in text
    assert f"{plain['r2_beyond']:.3f} [{plain['r2_beyond_low']:.2f}, {plain['r2_beyond_high']:.2f}]" in text
    assert f"tau 1 ({plain['tau_without_ties']:.3f} without ties)" in text


def test_no_page_is_written_over_another(tmp_path, monkeypatch):
    for name in ("statnn", "deepsets"):
        put(tmp_path, name)
    monkeypatch.setattr("benchmark.site.site.slug", lambda name: "the-same")
    with pytest.raises(ValueError, match=r"metanets/the-same\.html would be two pages"):
        site(tmp_path, [])


def test_the_first_page_counts_what_there_is(results):
    counts = contents.index(gathered(results, [])).values["counts"]
    assert counts["records"] == len(list(results.glob("**/seed-*.json")))
    assert (counts["metanets"], counts["baselines"], counts["zoos"]) == (len(SIZES) - 1, 1, 2)


def test_records_of_several_metanets_in_one_folder_have_their_pages(tmp_path):
    folders = [put(tmp_path / name, name) for name in ("statnn", "deepsets")]
    for number, path in enumerate(path for folder in folders for path in sorted(folder.glob("seed-*.json"))):
        record, flat = records.read(path), tmp_path / "flat" / f"seed-{number}.json"
        reference, data = records.predictions_file(flat, records.read_predictions(path, record))
        records.write(flat, dataclasses.replace(record, predictions=reference), data)
    made = site(tmp_path / "flat", [])
    assert {f"metanets/{slug(name)}.html" for name in ("statnn", "deepsets")} <= made.keys()


def test_downloads_hold_the_cells_and_no_formula(made, cells):
    rows = json.loads((made / "cells.json").read_text())
    assert [row["r2_mean"] for row in rows] == list(cells["r2_mean"])
    assert {row["metanet"] for row in rows} == set(SIZES)
    frame = pd.read_csv(made / "cells.csv")
    np.testing.assert_array_equal(frame["r2_mean"], cells["r2_mean"])


def test_scores_whose_spread_overflows_are_missing_from_the_json(tmp_path):
    for number, path in enumerate(sorted(put(tmp_path, "statnn").glob("seed-*.json"))):
        record = records.read(path)
        frame = records.read_predictions(path, record)
        frame.loc[frame["split"] == "test", "prediction"] *= 1e150 * (1 + number)
        reference, data = records.predictions_file(path, frame)
        records.write(path, dataclasses.replace(record, predictions=reference), data)
    (row,) = json.loads(site(tmp_path, [])["cells.json"], parse_constant=pytest.fail)
    assert row["r2_std"] is None
    assert row["gain"] is None
    assert row["parameters"] == SIZES["statnn"]


def test_names_that_a_spreadsheet_would_run_are_quoted_in_the_csv(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, "=1+1", 1)
    put(tmp_path, "=1+1")
    assert "'=1+1" in site(tmp_path, [])["cells.csv"].decode()


def test_the_same_records_give_the_same_bytes(made, results):
    assert {name: data for name, data in site(results, []).items() if (made / name).read_bytes() != data} == {}


def test_transfer_and_sample_efficiency_are_drawn_where_there_are_such_records(made, tmp_path):
    text = (made / "index.html").read_text()
    assert "fitted on digits-resnet8-standard-aaaaaaaa, tested on digits-resnet8-w_asymmetric-bbbbbbbb" in text
    assert "R² against training nets" in text
    put(tmp_path, "statnn", seeds=1)
    text = site(tmp_path, [])["index.html"].decode()
    assert "Transfer between zoos" not in text
    assert "Sample efficiency" not in text


def test_names_in_letters_that_the_font_lacks_are_drawn_without_a_warning(tmp_path, monkeypatch):
    foreign_letters = dataclasses.replace(STANDARD, family="\u4e00" * 200)
    for name in ("\u02ea", "\u0350", "\u4e00" * 200):
        monkeypatch.setitem(SIZES, name, 1)
        put(tmp_path, name, foreign_letters)
        put(tmp_path, name, ASYMMETRIC)
        put(tmp_path, name, ASYMMETRIC, fitted_on=foreign_letters)
    assert sum("transfer" in name for name in site(tmp_path, [])) == 3


@pytest.mark.parametrize("said", ['{"tier": "verified"}', '{"tier": "<b>"}', "[]", "{", "[" * 99999])
def test_a_badge_of_nobody_is_none(tmp_path, said):
    put(tmp_path, "statnn")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "it.json").write_text(said)
    assert badges(tmp_path) == {"self-reported"}


def test_a_badge_is_what_maintainers_found_of_these_very_records(tmp_path):
    folder = put(tmp_path, "statnn")
    path = verify(folder, tmp_path, tier="verified", by="us")
    assert badges(tmp_path) == {"verified"}
    put(tmp_path, "statnn", noise=0.01)  # better ones, put in their place afterwards
    assert badges(tmp_path) == {"self-reported"}
    verify(folder, tmp_path, tier="verified", by="us")
    assert badges(tmp_path) == {"verified"}
    path.rename(folder / "verification.json")  # as one that came with the records
    assert badges(tmp_path) == {"self-reported"}


def badges(results: Path) -> set[str]:
    page = site(results, [])[f"metanets/{slug('statnn')}.html"].decode()
    return {tier for tier in TIERS if f'<span class="badge {tier}">{tier}</span>' in page}


def test_a_submission_is_shown_with_whom_to_ask_as_text(tmp_path):
    folder = put(tmp_path, "statnn")
    about = submission(
        code_url="https://example.org/x", commit="0" * 40, contact=EVIL, citation="@misc{a<b>}", external_data="none"
    )
    files.write_json(folder / "submission.json", dataclasses.asdict(about))
    page = Page(site(tmp_path, [])[f"metanets/{slug(f'statnn (submitted by {EVIL.translate(INSIDE)})')}.html"].decode())
    assert EVIL in page.text()
    assert "@misc{a<b>}" in page.text()
    assert any(attributes.get("href") == "https://example.org/x" for _, attributes in page.tags)
    assert not any(tag == "b" or attributes.get("src") == "x" for tag, attributes in page.tags)


def test_a_zoo_that_is_given_is_drawn_and_its_spec_builds_it_again(standard, tmp_path):
    opened = zoos.open(standard)
    reference = ZooReference(name=opened.spec.name, family="standard", manifest_sha256=opened.manifest_sha256)
    put(tmp_path, "statnn", reference)
    made = site(tmp_path, [standard])
    name = f"zoos/{slug(reference.label())}"
    page = Page(made[f"{name}.html"].decode())
    assert opened.manifest_sha256 in page.text()
    assert f"metazoo build {slug(reference.label())}.spec.json" in page.text()
    assert str(standard) not in made[f"{name}.html"].decode()
    (tmp_path / "again.json").write_bytes(made[f"{name}.spec.json"])
    assert zoos.load(str(tmp_path / "again.json")) == opened.spec
    alts = [attributes["alt"] or "" for tag, attributes in page.tags if tag == "img"]
    assert any("64 nets, median" in alt for alt in alts)
    assert any("rank correlations: learning_rate" in alt for alt in alts)
    assert made == site(tmp_path, [standard])


def imported(folder: Path, *, targets: dict[str, str], hyper_parameters: dict[str, np.ndarray]) -> Path:
    """A zoo that others trained: `foreign()` with other columns; a target is what it names as its source column."""
    given = foreign()
    columns = given.columns[["lineage", "split"]].assign(
        **{name: given.columns[source] for name, source in targets.items()}, **hyper_parameters
    )
    about = dataclasses.replace(
        given.about,
        provenance=dataclasses.replace(given.about.provenance, kind=EVIL),
        targets=dict.fromkeys(targets, "x"),
        hyper_parameters=dict.fromkeys(hyper_parameters, "x"),
        text=(),
    )
    write_zoo(dataclasses.replace(given, about=about, columns=columns), folder)
    return folder


def alts(made: dict[str, bytes], folder: Path) -> str:
    """What the pictures of a zoo's page say."""
    page = Page(made[f"zoos/{slug(reference(zoos.open(folder)).label())}.html"].decode())
    return " ".join(attributes["alt"] or "" for tag, attributes in page.tags if tag == "img")


def test_imported_zoos_have_pages_whatever_columns_they_have(tmp_path):
    put(tmp_path / "results", "statnn")
    nets = len(foreign().columns)
    half = np.where(np.arange(nets) % 2, np.arange(nets) / nets, np.nan)
    bare = imported(tmp_path / "bare", targets={"test_accuracy": "test_accuracy"}, hyper_parameters={})
    other = imported(tmp_path / "other", targets={"loss": "rate"}, hyper_parameters={})
    none = imported(tmp_path / "none", targets={}, hyper_parameters={})
    some = imported(tmp_path / "some", targets={"f1": "rate"}, hyper_parameters={"rate": half, "depth": np.full(nets, 3.0)})
    made = site(tmp_path / "results", [bare, other, none, some])
    assert "Distribution of test_accuracy" in alts(made, bare)
    assert "Distribution of loss" in alts(made, other)
    assert alts(made, none) == ""
    assert "depth undefined" in alts(made, some)
    text = Page(made[f"zoos/{slug(reference(zoos.open(bare)).label())}.html"].decode()).text()
    assert f"metazoo import {shlex.quote(EVIL)} PATH --out zoos/theirs" in text  # to be copied into a shell


def test_nets_without_a_label_are_not_counted_as_drawn(tmp_path):
    put(tmp_path / "results", "statnn")
    rate = np.where(np.arange(48) < 30, np.arange(48) / 48, np.nan)
    folder = imported(tmp_path / "zoo", targets={}, hyper_parameters={"rate": rate})
    assert "plain: 30 nets, median" in alts(site(tmp_path / "results", [folder]), folder)


def test_a_folder_is_replaced_only_when_asked_and_only_if_it_is_a_site(tmp_path, monkeypatch, capsys):
    put(tmp_path / "results", "statnn")
    out = tmp_path / "site"
    monkeypatch.setattr(sys, "argv", ["metazoo", "page", str(tmp_path / "results"), "--out", str(out)])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert not stop.value.code
    assert str(out / "index.html") in capsys.readouterr().out
    (out / "metanets" / "old.html").touch()
    with pytest.raises(FileExistsError, match="--overwrite"):
        write(tmp_path / "results", out)
    write(tmp_path / "results", out, overwrite=True)
    assert not (out / "metanets" / "old.html").exists()
    (out / "index.html").write_text((out / "index.html").read_text().replace(GENERATOR, ""))
    with pytest.raises(FileExistsError, match="something other"):
        write(tmp_path / "results", out, overwrite=True)


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, with no network."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed; apt-get install chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Opens a page of a site; a message on the console or a dialog fails the test."""
    said, contexts = [], []

    def opened(path: Path, *, width: int = 1280, scheme: str = "light", bypass: bool = False):
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=bypass)
        )
        contexts[-1].set_offline(True)
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def first_table(page):
    return page.locator("table").first


def names(page) -> list[str]:
    return [one.get_attribute("data-v") for one in first_table(page).locator("tbody th").all() if one.is_visible()]


def test_a_click_or_a_key_sorts_a_table_and_says_so(made, visit):
    page = visit(made / "index.html")
    before = names(page)
    head = first_table(page).locator("thead th").nth(1)
    values = lambda: [  # noqa: E731
        float(one.get_attribute("data-v")) for one in first_table(page).locator("tbody tr td:nth-child(2)").all()
    ]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert values() == sorted(values(), reverse=True)
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert values() == sorted(values())
    assert names(page) != before
    assert page.locator("[aria-sort]").count() == 1
    gain = first_table(page).locator("thead th", has_text="gain").first
    for _ in range(2):  # the baseline's own gain is missing: last either way
        gain.get_by_role("button").click()
        assert names(page)[-1] == BASELINE


def test_a_filter_hides_rows_and_baselines_can_be_left_out(made, visit):
    page = visit(made / "index.html")
    tools = page.locator(".tools").first
    tools.get_by_role("searchbox").fill("DEEP")
    assert names(page) == ["deepsets"]
    assert tools.locator("output").inner_text() == f"1 of {len(SIZES)} rows"
    tools.get_by_role("searchbox").fill("")
    tools.get_by_role("checkbox").uncheck()
    assert set(names(page)) == SIZES.keys() - {BASELINE}


def test_what_a_table_shows_is_kept_in_the_address(made, visit):
    page = visit(made / "index.html")
    tools = page.locator(".tools").first
    first_table(page).locator("thead th").first.get_by_role("button").click()
    tools.get_by_role("combobox").select_option("r2")
    tools.get_by_role("checkbox").uncheck()
    tools.get_by_role("searchbox").fill("s")
    shown, address = names(page), page.evaluate("location.hash")
    again = visit(made / "index.html")
    again.evaluate("hash => { location.hash = hash }", address)
    again.wait_for_function("document.querySelector('.tools input[type=search]').value === 's'")
    assert names(again) == shown != []
    assert BASELINE not in shown
    assert not again.locator("td[data-kind=tau]").first.is_visible()
    assert again.locator("td[data-kind=r2]").first.is_visible()


def test_an_injection_is_text_in_the_browser_too(made, visit):
    page = visit(made / "index.html")
    page.get_by_role("link", name=EVIL).first.click()
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("file", ["index.html", f"metanets/{slug(EVIL)}.html", f"zoos/{slug(STANDARD.label())}.html"])
def test_nothing_is_wider_than_a_phone_and_every_picture_is_seen(made, visit, file):
    page = visit(made / file, width=360)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.evaluate("""async () => {
        for (const image of document.images) image.loading = "eager";
        await Promise.all([...document.images].map((image) => image.decode()));
    }""")
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("file", ["index.html", f"metanets/{slug(EVIL)}.html", f"zoos/{slug(STANDARD.label())}.html"])
def test_axe_finds_no_violation(made, visit, file, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(
        visit(made / file, scheme=scheme, bypass=True), options={"preload": False}
    )  # no reading of files from files
    assert found.violations_count == 0, found.generate_report()


def test_a_symmetry_report_that_was_kept_is_on_its_zoos_page(tmp_path):
    put(tmp_path, "statnn")
    scaling, told = Change(mean=0.125, relative=0.75, share=0.5, largest=2.0), {"command": "metazoo symmetry ZOO"}
    about = {"moved_r2": 0.321, "worst_r2": -1.5, "exact": False, "version": 1, **told}
    rows = [
        Certificate(
            metanet=EVIL,
            r2=0.5,
            changes={"permutation": Change(0.0, None, 0.0, 0.0), "scaling": scaling},
            exact=False,
            **told,
        ),
        Certificate(metanet="statnn", r2=0.75, changes={"scaling": scaling}, **about),
    ]
    keep(tmp_path, STANDARD, "test_accuracy", rows)
    made = site(tmp_path, [])
    page = Page(made[f"zoos/{slug(STANDARD.label())}.html"].decode())
    assert "Symmetry report, test_accuracy" in page.text()
    assert "0.12 (0.75) 50%, 2" in page.text()
    assert EVIL in page.text()
    first = Page(made["index.html"].decode()).text()
    assert all(text in first for text in ("standard R² moved", "standard R² worst", "standard exact", "0.321", "-1.500"))
    assert b"moved_r2" in made["cells.csv"]


def emptied(folder: Path) -> Path:
    """A folder elsewhere that nothing may touch, with what a site would replace or leave behind when it is stopped."""
    folder.mkdir()
    for name in ("old.html", "old.json", "old.svg", ".x.tmp"):
        (folder / name).write_text("keep me")
    return folder


@pytest.mark.parametrize("name", ["metanets", "zoos", "pictures"])
def test_a_linked_folder_in_a_site_is_not_written_or_deleted_through(tmp_path, name):
    put(tmp_path / "results", "statnn")
    out, elsewhere = tmp_path / "site", emptied(tmp_path / "elsewhere")
    write(tmp_path / "results", out)
    shutil.rmtree(out / name)
    (out / name).symlink_to(elsewhere)
    with pytest.raises(FileExistsError, match=f"{name} is a link"):
        write(tmp_path / "results", out, overwrite=True)
    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == dict.fromkeys(
        ("old.html", "old.json", "old.svg", ".x.tmp"), "keep me"
    )


def test_a_folder_of_links_is_no_site_and_no_begun_one(tmp_path):
    put(tmp_path / "results", "statnn")
    whole = write(tmp_path / "results", tmp_path / "whole").parent
    for name in ("index.html", "metanets"):
        out = tmp_path / f"site-{name}"
        out.mkdir()
        (out / name).symlink_to(whole / name)
        with pytest.raises(FileExistsError, match="something other"):
            write(tmp_path / "results", out, overwrite=True)
        assert [path.name for path in out.iterdir()] == [name]


def test_a_report_or_submission_behind_a_link_is_not_shown(tmp_path):
    folder = put(tmp_path / "results", "statnn")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/symmetry-test_accuracy.json").write_text("{}")
    (tmp_path / "results/linked").symlink_to(tmp_path / "elsewhere")
    shown = site(tmp_path / "results", [])["index.html"].decode()
    assert "linked" in shown, shown[-3000:]
    assert "links are not followed" in shown
    (tmp_path / "results/linked").unlink()
    (folder / "submission.json").symlink_to(tmp_path / "elsewhere/symmetry-test_accuracy.json")
    with pytest.raises(ValueError, match=r"submission\.json.*links are not followed"):
        site(tmp_path / "results", [])
