"""What all importers share: where a source begins, its digests, and messages about many things that stay short."""

import pytest
import torch

from zoo.importers.infer_layout import check_alike, inferred_layout, unlike, without_statistics
from zoo.importers.source_files import digests, unwrapped
from zoo.messages import is_column, plain_column, plain_line, plain_name, some_names, some_numbers
from zoo.storage import files


def test_folders_that_hold_one_folder_alone_are_gone_through(tmp_path):
    inside = tmp_path / "archive" / "zoo" / "nets"
    inside.mkdir(parents=True)
    assert unwrapped(tmp_path / "archive") == inside
    assert unwrapped(tmp_path / "archive", unless="nets") == inside.parent
    (tmp_path / "archive" / "README").write_text("")
    assert unwrapped(tmp_path / "archive") == tmp_path / "archive"
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "zoo").symlink_to(inside.parent)
    assert unwrapped(tmp_path / "linked") == tmp_path / "linked"
    assert unwrapped(tmp_path / "none") == tmp_path / "none"


def test_a_hundred_files_have_a_digest_each_and_more_have_one(tmp_path):
    paths = {f"{number}\n.pt": tmp_path / f"{number}.pt" for number in range(101)}
    for number, path in enumerate(paths.values()):
        path.write_text(str(number))
    hundred = dict(list(paths.items())[:100])
    assert digests(hundred) == {f"{number}?.pt": files.hash_of(str(number).encode()) for number in range(100)}
    lines = sorted(f"{files.hash_of(str(number).encode())}  {number}?.pt\n" for number in range(101))
    assert digests(paths) == {"101 files": files.hash_of("".join(lines).encode())}


def test_of_many_a_few_are_named():
    assert some_names([3, "b", "b", "a\n", "é"]) == r"3, \xe9, a\n, b"
    assert some_names(range(14)) == "0, 1, 10, 11, 12, 13, 2, 3, 4, 5, 6, 7 and 2 more"
    assert some_numbers([4, 2, 3]) == "2 to 4"
    assert some_numbers([1, 2]) == "1, 2"
    assert some_numbers(range(0, 12, 2)) == "0, 2, 4, 6, 8 ... 10 (6 in all)"


def test_texts_of_strangers_become_lines_and_names():
    assert plain_line("a\x1bb\n" + "c" * 1000) == f"a?b?{'c' * 993}..."
    assert plain_line("c" * 1000) == "c" * 1000
    assert plain_name("../my nets (2)") == "my-nets-2"
    assert plain_name("¿?") == ""
    assert plain_column("Test Acc [%]") == "test_acc"
    assert (is_column("test_acc"), is_column("2nd"), is_column("a" * 65), is_column("a\n")) == (True, False, False, False)


def test_the_first_tensor_that_differs_is_named(tmp_path):
    net, first = tmp_path / "1.pt", tmp_path / "0.pt"
    assert unlike(net, {"a": (2,), "b": (3,)}, first, {"b": (3,), "a": (2,)}) == ""
    assert unlike(net, {"a\n": (2,)}, first, {}) == f"{net}: a?: (2,), but no such tensor in {first}"
    with pytest.raises(ValueError, match=r"1\.pt: a: no such tensor, but \(2,\) in .*0\.pt"):
        check_alike(net, {}, first, {"a": (2,)})


def test_statistics_are_not_trained_and_each_net_has_its_own():
    layout = inferred_layout({"n.weight": (2,), "n.bias": (2,), "n.running_mean": (2,), "l.weight": (1, 2)})
    assert [entry.role for entry in layout] == ["scale", "shift", "statistic", "linear"]
    trained, fixed = without_statistics(layout)
    assert trained.tolist() == [True] * 4 + [False] * 2 + [True] * 2
    assert torch.equal(fixed.isnan(), ~trained)
