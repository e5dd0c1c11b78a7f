"""What lies in hf_xet's file-system store, from its shards (huggingface.co/docs/xet/shard)."""

import struct
from pathlib import Path


def xet_names(folder: Path) -> dict[str, str]:
    """SHA-256 -> Xet hash of every file in the store below the hub's folder.

    Records have 48 bytes: a file's header, one for each segment, with flag 31 as many again, with flag 30 one that
    holds the SHA-256; the list of files ends with a header of ones. Hashes are written as four 64-bit numbers.
    """
    names: dict[str, str] = {}
    for shard in (folder / "cas" / "xet" / "xorbs" / "shards").glob("*.mdb"):
        data, at = shard.read_bytes(), 48
        while data[at : at + 32] != b"\xff" * 32:
            flags, segments = struct.unpack_from("<2I", data, at + 32)
            extra = at + 48 * (1 + segments * (2 if flags >> 31 else 1))
            if flags >> 30 & 1:
                names[xet_hex(data, extra)] = xet_hex(data, at)
            at = extra + 48 * (flags >> 30 & 1)
    return names


def xet_hex(data: bytes, at: int) -> str:
    """The hash at this place as Xet writes it."""
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", data, at))
