"""The release for machines: Croissant 1.0 (mlcommons.org/croissant), a vocabulary of data sets in JSON-LD.

Written without `mlcroissant`, which brings rdflib, networkx and ten more; the tests read what is written by it.
"""

from typing import Any

import pyarrow as pa

from zoo.dataset.derived import FOLDER
from zoo.dataset.reader import Zoo
from zoo.hub.card import meanings
from zoo.hub.citation import About, citations, completed
from zoo.storage.manifest import MANIFEST

CONTEXT = {  # the one that the specification prescribes
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
LICENCES = {  # the hub's name -> an address; others are given by name
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "mit": "https://opensource.org/license/mit",
}
OWN = {"config": "the name of the net's config, a zoo of this release", "split": "train, validation or test"}
INDEX = "index.parquet"
DESCRIPTION = (
    "Weights of small trained neural networks with their hyper-parameters and measured targets, for metanetworks: models "
    "that read weights. The records are the nets without their weights; these are in HDF5 files, a row a net."
)


def croissant(zoos: dict[str, Zoo], about: About, *, table: pa.Table, index_sha256: str) -> dict[str, Any]:
    """The metadata of these zoos, by config: the index as records, the shards as sets of files.

    `table` is the index. The shards' SHA-256 stand in each config's manifest, whose own is given.
    """
    texts, about = meanings(zoos) | OWN, completed(about, zoos)
    creator = {"creator": {"@type": "sc:Organization", "name": about.authors}} if about.authors else {}
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.name,
        "description": DESCRIPTION,
        "license": LICENCES.get(str(about.licence), about.licence),
        **({"url": about.url} if about.url else {}),
        **({"datePublished": about.date} if about.date else {}),
        **({"version": about.version} if about.version else {}),
        **creator,
        "citeAs": citations(zoos, about),
        "keywords": ["model zoo", "weight space learning", "metanetworks"],
        "distribution": [
            _file(INDEX, "application/x-parquet", index_sha256),
            *(_file(f"{config}/{MANIFEST}", "text/plain", zoo.manifest_sha256) for config, zoo in zoos.items()),
            *(
                _file(f"{config}/{FOLDER}/{one.path.name}", "application/x-parquet", one.sha256)
                for config, zoo in zoos.items()
                for one in zoo.derived.values()
            ),
            *(_shards(config) for config in zoos),
        ],
        "recordSet": [_records(table, texts)],
    }


def _file(path: str, encoding: str, sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "encodingFormat": encoding,
        "sha256": sha256,
    }


def _shards(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}/data",
        "name": f"{config}/data",
        "description": "`weights` [net, weight] and a column [net] for each field of the records, less derived ones",
        "encodingFormat": "application/x-hdf5",
        "includes": f"{config}/data/*.h5",
    }


def _records(table: pa.Table, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "nets",
        "name": "nets",
        "description": "The nets of all configs, without their weights",
        "key": [{"@id": "nets/config"}, {"@id": "nets/index"}],
        "field": [_field(column, texts) for column in table.schema],
    }


def _field(column: pa.Field, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"nets/{column.name}",
        "name": column.name,
        "description": texts.get(column.name, column.name),
        "dataType": _data_type(column.type),
        "source": {"fileObject": {"@id": INDEX}, "extract": {"column": column.name}},
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
