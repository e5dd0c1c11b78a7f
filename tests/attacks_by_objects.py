"""Attacks by what stands in a shard: links, storage elsewhere, groups, odd types and names.

Each is done to an open file; `secret` is a path beside the zoo.
"""

from collections.abc import Callable

import h5py
import numpy as np
from h5py import h5t
from strangers import SECRET, UTF8, low, nets

from zoo.untrusted.vetting import shards


def linked_out(file, secret):
    with h5py.File(secret, "w") as other:
        other["column"] = np.frombuffer(SECRET, "u1")
    file["stolen"] = h5py.ExternalLink(str(secret), "/column")


def linked_out_in_place(file, secret):
    del file["seed"]
    linked_out(file, secret)
    file.move("stolen", "seed")


def linked_out_in_the_middle(file, secret):
    with h5py.File(secret, "w") as other:
        other["group/column"] = np.frombuffer(SECRET, "u1")
    file["middle"] = h5py.ExternalLink(str(secret), "/group")
    file["alias"] = h5py.SoftLink("/middle/column")


def linked_out_in_a_group(file, secret):
    file.create_group("inner")["stolen"] = h5py.ExternalLink(str(secret), "/column")


def virtual(file, secret):
    with h5py.File(secret, "w") as other:
        other["column"] = np.zeros(nets(file))
    layout = h5py.VirtualLayout((nets(file),), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "column", (nets(file),))
    file.create_virtual_dataset("stolen", layout)


def stored_outside(file, secret):
    secret.write_bytes(SECRET * 100)
    file.create_dataset("stolen", (nets(file),), "u1", external=[(str(secret), 0, nets(file))])


def weights_stored_outside(file, secret):
    shape = file["weights"].shape
    del file["weights"]
    secret.write_bytes(SECRET * 100_000)
    file.create_dataset("weights", shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def loop(file, secret):
    file["loop"] = file["/"]


def loop_of_groups(file, secret):
    file.create_group("inner")["back"] = file["/"]


def twins(file, secret):
    file["twin"] = file["seed"]


def crowd(file, secret):
    for number in range(shards.OBJECTS):
        file[f"c{number}"] = h5py.SoftLink("/weights")


def compound(file, secret):
    file["rows"] = np.zeros(nets(file), [("a", "f4"), ("b", "i4")])


def references(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.ref_dtype)


def regions(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.regionref_dtype)


def ragged(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.vlen_dtype(np.float32))


def opaque(file, secret):
    file["rows"] = np.zeros(nets(file), "V8")


def fixed_bytes(file, secret):
    file["rows"] = np.zeros(nets(file), "S8")


def unnamed_text(file, secret):
    file.create_dataset("rows", data=["a"] * nets(file), dtype=UTF8)


def colours(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.enum_dtype({"RED": 0, "GREEN": 1}, "i1"))


def swapped_bool(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.enum_dtype({"FALSE": 1, "TRUE": 0}, "i1"))


def big_endian(file, secret):
    file["rows"] = np.zeros(nets(file), ">f4")


def complex_numbers(file, secret):
    file["rows"] = np.zeros(nets(file), "c8")


def long_double(file, secret):
    low(file, "rows", h5t.IEEE_F128LE, (nets(file),))


def subarrays(file, secret):
    low(file, "rows", h5t.array_create(h5t.IEEE_F32LE, (3,)), (nets(file),))


def committed(file, secret):
    file["kind"] = np.dtype("f4")


def strange_name(file, secret):
    file["..\x1b[2J"] = np.zeros(nets(file))


BY_OBJECTS: dict[Callable[..., None], str] = {
    linked_out: "'stolen' is an external link",
    linked_out_in_place: "'seed' is an external link",
    linked_out_in_the_middle: "'alias' is a soft link",
    linked_out_in_a_group: "'inner' is a group",
    virtual: "column stolen is a virtual data set",
    stored_outside: "column stolen is stored in another file",
    weights_stored_outside: "column weights is stored in another file",
    loop: "'loop' is a group",
    loop_of_groups: "'inner' is a group",
    twins: "'twin' and 'seed' are one object",
    crowd: "objects; a shard has 512 at most",
    compound: "column rows has a type (compound)",
    references: "column rows has a type (reference)",
    regions: "column rows has a type (reference)",
    ragged: "column rows has a type (vlen)",
    opaque: "column rows has a type (opaque)",
    fixed_bytes: "column rows has a type (string)",
    unnamed_text: "column rows has a type (string)",
    colours: "column rows has a type (enum)",
    swapped_bool: "column rows has a type (enum)",
    big_endian: "column rows has a type (float)",
    complex_numbers: "column rows has a type (compound)",
    long_double: "column rows has a type (float)",
    subarrays: "column rows has a type (array)",
    committed: "'kind' is a group or a named type",
    strange_name: r"is no name of a column",
}
