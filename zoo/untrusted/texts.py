"""Texts as programs of Windows write them: with a mark of their encoding at the beginning, or in UTF-16."""

import codecs
from pathlib import Path

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def encoding_of(start: bytes) -> str:
    """The encoding that the first bytes of a text tell: UTF-16 where its mark stands there, else UTF-8."""
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), "utf-8")


def decoded(path: Path | str, data: bytes) -> str:
    """The text in these bytes of a file, without a byte order mark. Raises ValueError naming the file that has none."""
    try:
        return data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no UTF-8 text ({error})") from None
