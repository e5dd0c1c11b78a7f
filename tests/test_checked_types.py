"""In tests every function and class of the packages checks its types and shapes."""

from typing import Literal

import jaxtyping
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from checked_types import speaks_of_shapes
from jaxtyping import Float
from torch import Tensor

from metanets import Training
from zoo.messages import plain_line
from zoo.symmetry.align import _matched


def test_a_wrong_type_is_refused_of_functions_and_classes():
    assert plain_line("text") == "text"
    with pytest.raises(BeartypeCallHintViolation):
        plain_line(5)  # type: ignore[arg-type]
    with pytest.raises(BeartypeCallHintViolation):
        Training(augment="permutation")  # type: ignore[arg-type]


def test_a_wrong_shape_is_refused_even_where_each_size_alone_would_do():
    assert _matched(torch.eye(3)).tolist() == [0, 1, 2]
    with pytest.raises(jaxtyping.TypeCheckError):
        _matched(torch.zeros(3, 4))


def test_shapes_are_found_wherever_they_stand_in_an_annotation():
    array = Float[Tensor, "net weight"]
    assert all(map(speaks_of_shapes, (array, array | None, dict[str, list[array]], "Zoo")))
    assert not any(map(speaks_of_shapes, (int, Tensor | None, dict[str, list[Tensor]], Literal["net"])))
