import json
from dataclasses import replace

import mlcroissant
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from stores import lay_out

import zoo
from zoo.hub.citation import About
from zoo.hub.croissant import CONTEXT, LICENCES, croissant
from zoo.hub.release import index, release
from zoo.untrusted.files import sha256
from zoo.untrusted.json import read_json

pytestmark = [  # of what mlcroissant 1.1.1 calls in rdflib 7.6 and pandas 3.1
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index:DeprecationWarning"),
]

NAME = "Zoos, “quoted” & <b>bold</b>"


@pytest.fixture(scope="module")
def folder(standard, asymmetric, tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    return lay_out(
        release([standard, asymmetric], name=NAME, url="https://a.org/b", date="2026-11-21", version="1.0.0"), folder
    )


@pytest.fixture(scope="module")
def metadata(folder):
    return read_json(folder / "croissant.json")


def test_mlcroissant_finds_nothing_wrong(folder):
    issues = mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).metadata.issues
    assert issues.errors == set()
    assert issues.warnings == set()


def test_mlcroissant_would_find_what_is_wrong(metadata, tmp_path):
    broken = json.loads(json.dumps(metadata))
    broken["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "no-such-file"
    (tmp_path / "croissant.json").write_text(json.dumps(broken))
    with pytest.raises(mlcroissant.ValidationError, match="no-such-file"):
        mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))


def test_the_context_is_the_specifications(metadata):
    assert metadata["@context"] == CONTEXT == mlcroissant.Rdf().context


def test_its_records_read_from_the_release_are_the_index(folder, metadata):
    records = pd.DataFrame(list(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("nets")))
    records.columns = [name.removeprefix("nets/") for name in records.columns]
    table = pd.read_parquet(folder / "index.parquet")
    assert [*records.columns] == [*table.columns]
    for name in table:
        values = records[name].str.decode("utf-8") if name in ("config", "split") else records[name]
        assert np.array_equal(values, table[name], equal_nan=table[name].dtype.kind == "f"), name


def test_records_of_zoos_with_different_columns_can_be_read(standard, tmp_path):
    first = zoo.open(standard)
    words = pd.Series(["relu", "tanh"] * 32).astype("category")
    zoos = {"a": first, "b": replace(first, columns=first.columns.drop(columns="epochs").assign(activation=words))}
    table = index(zoos)
    pq.write_table(table, tmp_path / "index.parquet")
    for config in zoos:
        (tmp_path / config).mkdir()
        (tmp_path / config / "MANIFEST.sha256").write_bytes((standard / "MANIFEST.sha256").read_bytes())
    metadata = croissant(zoos, About("x"), table=table, index_sha256=sha256(tmp_path / "index.parquet"))
    (tmp_path / "croissant.json").write_text(json.dumps(metadata))
    records = list(mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json")).records("nets"))
    assert [record["nets/epochs"] for record in records[:64]] == first.columns["epochs"].to_list()
    assert all(pd.isna(record["nets/epochs"]) for record in records[64:])
    assert [record["nets/activation"] for record in records[64:]] == [word.encode() for word in words]


def test_files_are_named_with_their_sha256_and_every_shard_lies_in_one_set(folder, metadata):
    objects = [one for one in metadata["distribution"] if one["@type"] == "cr:FileObject"]
    sets = [one for one in metadata["distribution"] if one["@type"] == "cr:FileSet"]
    assert len(objects) == 3
    for one in objects:
        assert sha256(folder / one["contentUrl"]) == one["sha256"]
    shards = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.h5"))
    assert sorted(str(path.relative_to(folder)) for one in sets for path in folder.glob(one["includes"])) == shards
    assert {one["encodingFormat"] for one in sets} == {"application/x-hdf5"}


def test_every_field_has_its_type_and_says_what_it_is(metadata, standard):
    texts = read_json(standard / "zoo.json")["columns"]
    fields = {field["name"]: field for field in metadata["recordSet"][0]["field"]}
    for name, field in fields.items():
        assert field["description"] != name
        assert field["description"] == texts.get(name, field["description"])
    kinds = {name: fields[name]["dataType"] for name in ("config", "index", "test_loss", "diverged")}
    assert kinds == {"config": "sc:Text", "index": "sc:Integer", "test_loss": "sc:Float", "diverged": "sc:Boolean"}


def test_what_the_publisher_says_stands_in_it_and_nothing_is_made_up(metadata, standard):
    assert metadata["name"] == NAME
    assert metadata["license"] == LICENCES["cc-by-4.0"]
    said = {key: metadata[key] for key in ("url", "datePublished", "version")}
    assert said == {"url": "https://a.org/b", "datePublished": "2026-11-21", "version": "1.0.0"}
    zoos = {"a": zoo.open(standard)}
    bare = croissant(zoos, About("x", "gpl"), table=index(zoos), index_sha256="0" * 64)
    assert not {"url", "datePublished", "version", "creator"} & bare.keys()
    assert bare["license"] == "gpl"
