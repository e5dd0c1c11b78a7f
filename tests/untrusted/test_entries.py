"""Entries of tables: what is a number, what is missing, what is a mistake and is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.untrusted import entries

MISSING = ["", " ", "None", "none", "NONE", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "-", "nan", "NaN", "-nan", "<NA>"]


def read(*texts: str, words: bool = True) -> entries.Column:
    return entries.column(texts, "a.csv: column x", lambda row: f"line {row + 2}", words=words)


@pytest.mark.parametrize("word", MISSING)
def test_the_usual_spellings_of_a_missing_value_leave_a_column_of_numbers(word):
    found = read("0.5", word, "1e-3")
    np.testing.assert_array_equal(found.values, [0.5, np.nan, 0.001])
    assert not found.note


@given(st.lists(st.floats(allow_nan=False), min_size=1))
@settings(deadline=None)
def test_numbers_come_back_exactly(values):
    np.testing.assert_array_equal(read(*map(repr, values), "").values, [*values, np.nan])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
@settings(deadline=None)
def test_whole_numbers_stay_whole(values):
    found = read(*map(str, values))
    assert found.values.dtype == np.int64
    assert found.values.tolist() == values


def test_whole_numbers_of_64_bits_stay_what_they_are():
    assert read(str(2**63 + 5), "3").values.tolist() == [str(2**63 + 5), "3"]
    assert read(str(2**63), "3", words=False).values.tolist() == [2.0**63, 3.0]


def test_per_cent_signs_are_read_and_said():
    found = read("91.3%", "NA", " 7 % ")
    np.testing.assert_allclose(found.values, [0.913, np.nan, 0.07])
    assert found.percent
    assert "column x has per cent signs: 1% is taken as 0.01" in found.note
    with pytest.raises(ValueError, match=r"column x has '91\.3%' in line 2, but '0\.9' without a per cent sign in line 3"):
        read("91.3%", "0.9")


@pytest.mark.parametrize("wrong", ["oops", "0.9.1", "1_000", "0x10", "٣", "0,5", "1,234,567", "=1+1", "0.5\x1b[2J"])
def test_an_entry_that_is_neither_is_named_with_its_line(wrong):
    for words in (True, False):
        with pytest.raises(ValueError, match=r"a\.csv: column x, line 4: '"):
            read("0.5", "0.25", wrong, "0.75", "1", words=words)


def test_words_are_words_also_where_one_looks_like_a_missing_value_or_a_number():
    assert read("None", "cosine", "step").values.tolist() == ["None", "cosine", "step"]
    assert read("none", "none").values.tolist() == ["none", "none"]
    found = read("auto", "auto", "3")
    assert found.values.tolist() == ["auto", "auto", "3"]
    assert "column x has numbers in 1 rows and words in others, such as 'auto' in line 2" in found.note
    with pytest.raises(ValueError, match="'auto' is neither a number nor a missing value"):
        read("auto", "auto", "3", words=False)


def test_what_is_true_or_false_is_one_or_zero():
    assert read("True", "false", "TRUE").values.tolist() == [1, 0, 1]
    np.testing.assert_array_equal(read("True", "").values, [1, np.nan])


def test_nothing_at_all_is_a_column_of_missing_numbers():
    assert np.isnan(read("", " ", "").values).all()
    assert np.isnan(read("NA", "-", words=False).values).all()
