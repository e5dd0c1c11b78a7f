"""The fixed matrices F of sigma-asymmetric ResNet8s: in the names and shapes of Lim et al.'s code, and in ours.

Their class has `nonlin.F_mat` and `layer1.0.nonlin1.F_mat` as kernels (d, d, 1, 1); here the first place is called
`nonlin1`, and a matrix is (d, d). Both are read, also mixed: exports of metazoo 0.1 had ours.
"""

from torch import Tensor

from zoo.importers.infer_layout import shapes_of
from zoo.nets import resnet
from zoo.nets.layout import Layout, Shapes, shapes_in

MATRIX = ".F_mat"


def in_our_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, the matrices among them under our names and in our shape. Raises ValueError where a place has two."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(MATRIX):
            name = f"nonlin1{MATRIX}" if name == f"nonlin{MATRIX}" else name
            tensor = tensor.flatten(1) if tuple(tensor.shape[2:]) == (1, 1) else tensor
        if name in found:
            raise ValueError(f"nonlin{MATRIX} and {name} are one place; expected one of them")
        found[name] = tensor
    return found


def recognised(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """As `in_our_names` where that makes a ResNet8 with its own matrices; all else as it is."""
    if f"nonlin{MATRIX}" not in tensors and f"nonlin1{MATRIX}" not in tensors:
        return tensors
    ours = in_our_names(tensors)
    return tensors if gated_layout(shapes_of(ours)) is None else ours


def gated_layout(shapes: Shapes) -> Layout | None:
    """The layout of a ResNet8 with its own matrices, by our names, if it has exactly these tensors."""
    plain = resnet.like({name: shape for name, shape in shapes.items() if not name.endswith(MATRIX)})
    gated = None if plain is None else resnet.with_gates(plain)
    return gated if gated is not None and shapes_in(gated) == shapes else None
