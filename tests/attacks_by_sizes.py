"""Attacks by what a shard's columns claim: shapes, bytes, filters and attributes.

Each is done to an open file; `secret` is a path beside the zoo.
"""

from collections.abc import Callable

import h5py
import numpy as np
from h5py import h5a, h5s, h5t, h5z
from strangers import low, nets, planned

from zoo.untrusted.vetting import columns


def scalar(file, secret):
    file["rows"] = 1.0


def empty(file, secret):
    file["rows"] = h5py.Empty("f4")


def short(file, secret):
    file["rows"] = np.zeros(nets(file) - 1)


def wide(file, secret):
    file["rows"] = np.zeros((nets(file), 2))


def many_axes(file, secret):
    file["rows"] = np.zeros((nets(file),) + (1,) * 31)


def sparse_terabyte(file, secret):
    low(file, "rows", h5t.IEEE_F64LE, (2**37,))


def packed_terabyte(file, secret):
    file.create_dataset("rows", (2**37,), "f8", chunks=(1024,), compression="gzip")


def packed_zeros(file, secret):
    data = file.create_dataset("rows", (2**27,), "i1", chunks=(2**23,), compression="gzip", compression_opts=9)
    data[:] = 0


def huge_chunk(file, secret):
    file.create_dataset("rows", (nets(file),), "f8", maxshape=(None,), chunks=(2**27,))


def past_the_end(file, secret):
    del file["weights"]
    low(file, "weights", h5t.IEEE_F32LE, (2**20, 2**20))


def blosc(file, secret):
    low(file, "rows", h5t.IEEE_F32LE, (nets(file),), planned(set_chunk=((nets(file),),), set_filter=(32001, 1)))


def lzf(file, secret):
    file.create_dataset("rows", data=np.zeros(nets(file)), compression="lzf")


def scale_offset(file, secret):
    file.create_dataset("rows", data=np.zeros(nets(file), int), scaleoffset=True)


def many_filters(file, secret):
    plan = planned(set_chunk=((nets(file),),))
    for _ in range(4):
        plan.set_filter(h5z.FILTER_DEFLATE, 0, (1,))
    low(file, "rows", h5t.IEEE_F32LE, (nets(file),), plan)


def chunked_weights(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file.create_dataset("weights", data=weights, chunks=(1, weights.shape[1]))


def double_weights(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file["weights"] = weights.astype("f8")


def whole_weights(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file["weights"] = weights.astype("i4")


def no_weights(file, secret):
    del file["weights"]


def other_width(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file["weights"] = weights[:, 1:]


def no_nets(file, secret):
    for name, column in [(name, file[name][:0]) for name in file]:
        del file[name]
        file[name] = column


def many_attributes(file, secret):
    for number in range(columns.ATTRIBUTES + 1):
        file["seed"].attrs[f"a{number}"] = 1


def reference_attribute(file, secret):
    file.attrs["rows"] = file["seed"].ref


def ragged_attribute(file, secret):
    h5a.create(file.id, b"rows", h5t.vlen_create(h5t.IEEE_F32LE), h5s.create(h5s.SCALAR))


def array_attribute(file, secret):
    file.attrs["rows"] = np.zeros(1000)


BY_SIZES: dict[Callable[..., None], str] = {
    scalar: "column rows is a scalar or empty",
    empty: "column rows is a scalar or empty",
    short: "column rows has shape",
    wide: "column rows has shape",
    many_axes: "column rows has shape",
    sparse_terabyte: "column rows claims 1,099,511,627,776 bytes",
    packed_terabyte: "column rows claims 1,099,511,627,776 bytes",
    packed_zeros: "column rows claims 134,217,728 bytes",
    huge_chunk: "column rows has chunks of 1,073,741,824 bytes",
    past_the_end: "column weights claims 4,398,046,511,104 bytes",
    blosc: "column rows needs the filter 32001",
    lzf: "column rows needs the filter 32000",
    scale_offset: "column rows needs the filter 6",
    many_filters: "column rows has 4 filters",
    chunked_weights: "column weights must be contiguous",
    double_weights: "column weights has a type (float64) that is not allowed; expected float16 or float32",
    whole_weights: "column weights has a type (int32) that is not allowed",
    no_weights: "has no column weights",
    other_width: "weights a net",
    no_nets: "claims 0 bytes",
    many_attributes: "seed has 65 attributes",
    reference_attribute: "attribute 'rows' of / is neither text nor a number",
    ragged_attribute: "attribute 'rows' of / is neither text nor a number",
    array_attribute: "attribute 'rows' of / is not a single value",
}
