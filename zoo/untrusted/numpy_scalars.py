"""Numbers of numpy in a .pt file, such as a best accuracy, become plain numbers without any code of numpy's being run.

A pickle names functions, and PyTorch's restricted reader calls those that it is allowed. In place of numpy's two, which
make any dtype and any scalar, it gets the two below, which make a number from at most eight bytes and nothing else.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

CODE = re.compile("b1|[iu][1248]|f[248]")  # of a bool, a whole number, a floating-point number
ORDERS = ("<", ">", "|", "=")


class NumberType:
    """Stands for `numpy.dtype`, of plain numbers only."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        if type(code) is not str or not CODE.fullmatch(code):
            raise ValueError("a numpy value that is no plain number")
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        """The rest of a dtype: its version and byte order; all else would be of arrays, dates or structures."""
        if type(state) is not tuple or len(state) != 8 or state[1] not in ORDERS or state[2:5] != (None, None, None):
            raise ValueError("a numpy value that is no plain number")
        self.order = state[1]


def number(kind: Any, data: Any = None) -> bool | int | float:
    """Stands for numpy's `scalar`: the number in these bytes."""
    if type(kind) is not NumberType or type(data) is not bytes:
        raise ValueError("a numpy value that is no plain number")
    dtype = np.dtype(kind.order + kind.code)
    if len(data) != dtype.itemsize:
        raise ValueError(f"a numpy number of {len(data)} bytes")
    return np.frombuffer(data, dtype)[0].item()


STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [  # what is called, and the name in a pickle
    (NumberType, "numpy.dtype"),
    (number, "numpy.core.multiarray.scalar"),
    (number, "numpy._core.multiarray.scalar"),
]
