"""Derived columns travel with their zoo: published where they fit, described, fetched by their SHA-256, and vetted there."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from stores import QUIET, shipped, whole

import zoo
from zoo.dataset import derived
from zoo.hub.fetch import fetch
from zoo.hub.publish import publish
from zoo.hub.release import release

pytestmark = QUIET
CONFIG = "resnet8-standard"


@pytest.fixture(scope="module")
def own(standard, tmp_path_factory):
    """A zoo with columns of nets and of pairs, and a file of another zoo."""
    folder = shutil.copytree(standard, tmp_path_factory.mktemp("zoos") / "zoo")
    told = {"analysis": "a-1", "command": "metazoo a", "settings": {}}
    heights = pd.DataFrame({"index": np.arange(64), "height": np.ones(64)})
    derived.write(folder, "others", heights, meanings={"height": "of others"}, **told)
    path = folder / "derived" / "others.parquet"
    path.write_bytes(path.read_bytes().replace(zoo.open(folder).manifest_sha256.encode(), b"0" * 64))
    derived.write(folder, "heights", heights, meanings={"height": "a height, metres"}, **told)
    pairs = pd.DataFrame({"i": [0], "j": [1], "remove": ["none"], "barrier": [0.5]})
    derived.write(folder, "pairs", pairs, meanings={"barrier": "a barrier, nats"}, **told)
    return folder


@pytest.fixture(scope="module")
def made(own):
    return release([own], name="zoos")


def put(release, to):
    return publish(release, str(to), report=lambda line: None)


def test_columns_are_published_and_fetched_with_their_zoo_and_go_when_they_are_gone(place, made, own, standard, tmp_path):
    put(made, place)
    back, here = zoo.open(fetch(place, tmp_path / "back")), zoo.open(own)
    assert back.derived.keys() == here.derived.keys() == {"heights", "pairs"}
    assert {one.sha256 for one in back.derived.values()} == {one.sha256 for one in here.derived.values()}
    assert back.columns["height"].sum() == 64
    without = whole({name: content for name, content in shipped(made).items() if "pairs" not in name})
    assert put(without, place).removed == (f"{CONFIG}/derived/pairs.parquet",)
    lines: list[str] = []
    fetch(place, tmp_path / "back", report=lines.append)
    assert lines[-1].endswith("holds this zoo already")
    (tmp_path / "back" / "derived" / "heights.parquet").unlink()
    fetch(place, tmp_path / "back", report=lines.append)
    assert "but not its derived/heights.parquet as they are there now" in lines[-1]


def test_a_release_describes_them_and_leaves_those_of_other_zoos(made, own):
    files = shipped(made)
    assert [name for name in files if "/derived/" in name] == [f"{CONFIG}/derived/{n}.parquet" for n in ("heights", "pairs")]
    assert files[f"{CONFIG}/MANIFEST.sha256"] == (own / "MANIFEST.sha256").read_bytes()
    assert pd.read_parquet(io.BytesIO(files["index.parquet"]))["height"].sum() == 64
    card, croissant = files["README.md"].decode(), json.loads(files["croissant.json"])
    assert "| `height` | a height, metres |" in card
    assert f"| {CONFIG}/pairs.parquet | `barrier`: a barrier, nats | 1 pairs | metazoo a (a-1) |" in card
    assert "of others" not in card
    fields = {field["name"]: field["description"] for field in croissant["recordSet"][0]["field"]}
    assert fields["height"] == "a height, metres"
    digests = {one["name"]: one.get("sha256") for one in croissant["distribution"]}
    assert digests[f"{CONFIG}/derived/pairs.parquet"] == made.digests[f"{CONFIG}/derived/pairs.parquet"]


def test_what_is_no_derived_column_is_refused_and_leaves_nothing(made, tmp_path):
    put(whole({**shipped(made), f"{CONFIG}/derived/bad.parquet": b"PAR1 and nothing"}), tmp_path / "to")
    with pytest.raises(ValueError, match=r"bad\.parquet: no derived columns"):
        fetch(tmp_path / "to", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_other_bytes_than_the_release_names_are_not_taken(made, tmp_path):
    put(made, tmp_path / "to")
    path = tmp_path / "to" / CONFIG / "derived" / "heights.parquet"
    path.write_bytes(path.read_bytes().replace(b"metres", b"inches"))
    with pytest.raises(ValueError, match=r"derived/heights\.parquet: downloaded SHA-256"):
        fetch(tmp_path / "to", tmp_path / "back")


def test_a_zoo_that_is_no_release_is_fetched_without_them_with_a_word(own, tmp_path):
    lines: list[str] = []
    assert not zoo.open(fetch(own, tmp_path / "back", report=lines.append)).derived
    assert any("left there: derived/heights.parquet" in line and "only a release" in line for line in lines)
