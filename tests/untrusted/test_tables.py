"""Tables as programs of the world write them: the same table in each spelling, and what is refused by name."""

import csv
import gzip
import io

import pytest

from zoo.untrusted import tables
from zoo.untrusted.texts import decoded

ROWS = [["file", "lr", "acc"], ["a.pt", "0.001", "0.5"], ["b.pt", "1e-4", "0.25"], ["c.pt", "", "0.125"]]
WANTED = {"file": ["a.pt", "b.pt", "c.pt"], "lr": ["0.001", "1e-4", ""], "acc": ["0.5", "0.25", "0.125"]}


def refusal(path, **options: object) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        tables.read(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


def written(separator: str = ",", end: str = "\n", comma: bool = False) -> str:
    """The table in a spelling."""
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator=end).writerows(
        [[entry.replace(".", ",") if comma and not entry.endswith(".pt") else entry for entry in row] for row in ROWS]
    )
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("separator", "comma"), [(",", False), (";", False), (";", True), ("\t", False), ("\t", True)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_the_same_in_each_spelling(tmp_path, encoding, end, separator, comma, packed):
    data = written(separator, end, comma).encode(encoding)
    (tmp_path / "a.csv").write_bytes(gzip.compress(data) if packed else data)
    found = tables.read(tmp_path / "a.csv")
    assert found.frame.to_dict("list") == WANTED
    assert found.lines.tolist() == [2, 3, 4]
    assert any("decimal commas" in note for note in found.notes) == comma


def test_a_first_line_of_spreadsheets_says_what_stands_between_entries(tmp_path):
    (tmp_path / "a.csv").write_text("sep=;\r\n" + written(";", "\r\n"))
    found = tables.read(tmp_path / "a.csv")
    assert found.frame.to_dict("list") == WANTED
    assert found.lines.tolist() == [3, 4, 5]
    assert found.numbered() is found


def test_rows_and_columns_without_entries_are_left_out_and_rows_counted(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,\n1,2,\n\n , ,\n3,,\n,,\n")
    found = tables.read(tmp_path / "a.csv")
    assert found.frame.to_dict("list") == {"a": ["1", "3"], "b": ["2", ""]}
    assert found.lines.tolist() == [2, 5]
    assert found.notes == ("3 rows of a.csv are empty and were left out",)
    with pytest.raises(ValueError, match=r"a\.csv: line 3 is empty, but here the number of a row counts"):
        found.numbered()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a;b\n1,234;x\n2,500;y\n", "column a: '1,234' may be a number of thousands, or have a decimal comma"),
        ("a;b\n1,5;2.5\n", "'1,5' in column a has a comma, '2.5' in column b a point"),
        ("a,b;c\n1,2;3\n", "its entries may be separated by commas or semicolons"),
        ("a,b\n1,2\n1,2,3\n", "line 3 has more entries than the 2 names in the first line"),
        ("a,b\n1,2,3\n", "a row has more entries than the 2 names in the first line"),
        ("file,acc\na.pt,0,5\n", "more entries"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("a,b\n1,\xff\n".encode("latin1"), "no table that can be read"),
        ("", "its first line is empty"),
        ("\n1,2\n", "its first line is empty"),
        (",,\n1,2,3\n", "its first line is empty"),
        ("a,a\n1,2\n", "name each column once"),
        ("a,\x1b[2J\n1,2\n", "without control characters"),
        ('a,"b\n1,2\n3,4\n', "no table that can be read"),
        ("a" * 2**21, "no table that can be read"),
        (",".join(f"c{n}" for n in range(20_000)) + "\n1\n", "too many"),
        (b"\x1f\x8b\x08", "no table that can be read"),
    ],
)
def test_what_is_no_table_or_can_be_read_in_two_ways_is_refused(tmp_path, text, said):
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in refusal(tmp_path / "a.csv")


def test_commas_in_words_and_lists_stay(tmp_path):
    (tmp_path / "a.csv").write_text("note;hidden;acc\n1,5 or so;64,32,16;0,5\nabout 2;8,8,8;0,25\n")
    found = tables.read(tmp_path / "a.csv").frame.to_dict("list")
    assert found == {"note": ["1,5 or so", "about 2"], "hidden": ["64,32,16", "8,8,8"], "acc": ["0.5", "0.25"]}


def test_short_rows_do_not_take_the_memory_of_long_ones(tmp_path):
    names = ",".join(f"c{number}" for number in range(1000))
    for end in ("\n", "\r"):
        (tmp_path / "a.csv").write_bytes((names + "\n" + f"1{end}" * 10_001).encode())
        assert "far fewer entries than the 1,000 names" in refusal(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(names + "\n" + "1\n" * 10)
    assert tables.read(tmp_path / "a.csv").frame.shape == (10, 1000)


def test_a_packed_table_is_read_up_to_a_limit_only(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 10**6))
    assert len(tables.read(tmp_path / "a.csv.gz", most=2 * 10**6 + 2)) == 10**6
    assert "more than 2,000,000 bytes" in refusal(tmp_path / "a.csv.gz", most=2 * 10**6)


def test_a_column_of_row_names_without_a_name_gets_the_one_that_pandas_gives(tmp_path):
    (tmp_path / "a.csv").write_text(",one\n0,5\n1,6\n")
    assert tables.read(tmp_path / "a.csv").frame.to_dict("list") == {"Unnamed: 0": ["0", "1"], "one": ["5", "6"]}


def test_a_formula_in_a_table_is_text(tmp_path):
    (tmp_path / "a.csv").write_text("a\n\"=cmd()\"\n__import__('os')\n")
    assert tables.read(tmp_path / "a.csv").column("a").values.tolist() == ["=cmd()", "__import__('os')"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-mark"])
def test_a_text_is_the_same_in_each_encoding(encoding):
    data = "\ufeffé".encode("utf-16-be") if encoding == "utf-16-be-mark" else "é".encode(encoding)
    assert decoded("a.toml", data) == "é"
    with pytest.raises(ValueError, match=r"a\.toml: is no UTF-8 text"):
        decoded("a.toml", "é".encode("latin1"))
