"""A site that would be the same is left as it is; whatever changes, it is made again."""

import os
from xml.etree import ElementTree

import numpy as np
from made_records import put

from benchmark.site.scatter import scatter
from benchmark.site.unchanged import is_unchanged, stamp
from benchmark.site.writing import write


def test_a_site_is_made_again_only_where_a_record_or_a_page_has_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results, out = tmp_path / "results", tmp_path / "site"
    folder = put(results, "statnn", seeds=(0, 1))
    index = write(results, out)
    assert is_unchanged(out, stamp(results, []))
    monkeypatch.setattr("benchmark.site.site.site", None)  # nobody makes another
    assert write(results, out) == index
    whole = index.read_bytes()
    index.write_bytes(whole + b" ")
    assert not is_unchanged(out, stamp(results, []))
    index.write_bytes(whole)
    (out / "more.html").touch()
    assert not is_unchanged(out, stamp(results, []))
    (out / "more.html").unlink()
    os.utime(folder / "seed-0.json", (0, 0))
    assert not is_unchanged(out, stamp(results, []))


def test_what_is_kept_of_a_site_is_no_more_than_a_hint(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results, out = tmp_path / "results", tmp_path / "site"
    put(results, "statnn", seeds=(0, 1))
    write(results, out)
    (kept,) = (tmp_path / "cache/metazoo/pages").iterdir()
    for said in (b"", b"[]", b'{"made_of": 1}', b"[" * 10**5, b"\xff"):
        kept.write_bytes(said)
        assert not is_unchanged(out, stamp(results, []))


def test_a_scatter_is_safe_and_whole_whatever_it_shows(tmp_path):
    for true in (np.linspace(0, 1, 5), np.zeros(5), np.linspace(-1e300, 1e300, 5)):
        made = scatter(("it",), true, true[::-1] * 3, target='<a href="x">&', alt="it")
        tree = ElementTree.fromstring(made.data)
        assert len(tree.findall(".//{*}circle")) == 5
        assert tree.findall(".//{*}a") == []
        assert b"nan" not in made.data
