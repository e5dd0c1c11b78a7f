"""What a zoo.json says of an imported zoo: each column is one thing, and no target is shown to baselines."""

from dataclasses import asdict, replace

import pytest
from imported_zoo import foreign

from zoo.spec import imported

ABOUT = foreign().about
ACCURACY = {"test_accuracy": "share"}


def test_what_is_written_is_read_back():
    assert imported.parse(asdict(ABOUT), "zoo.json") == ABOUT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hyper_parameters": ACCURACY, "text": ()}, "column test_accuracy must be one of"),
        ({"columns": ACCURACY}, "column test_accuracy must be one of"),
        ({"hyper_parameters": {"diverged": ""}, "text": ()}, "column diverged must be one of"),
        ({"targets": {"index": ""}}, "column index must be one of"),
        ({"text": ("test_accuracy",)}, "column test_accuracy is in `text`"),
        ({"text": ("unknown",)}, "column unknown is in `text`"),
    ],
)
def test_a_column_that_is_two_things_is_refused(changes, said):
    with pytest.raises(ValueError, match=f"zoo.json: {said}"):
        imported.parse(asdict(replace(ABOUT, **changes)), "zoo.json")
