"""C++ sources compiled at first use by the machine's compiler, for this processor, and kept in the user's cache."""

import ctypes
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

from zoo.storage import files
from zoo.storage.files import cache

FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-march=native", "-shared", "-fPIC")
HEADERS = Path(__file__).parent
SOUND_CLANG = 16  # 13 to 15 save vector registers on a stack that they have not aligned, which ends the process
COMPILE_SECONDS = 120  # it takes three; a compiler that hangs must not hang a build


@functools.cache
def library(source: Path, *, needs: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The compiled source. Raises OSError or SubprocessError, saying what is missing.

    `needs` are macros that the compiler must define for this machine. `METAZOO_ENGINE=torch` forbids all compiled code.
    """
    if os.environ.get("METAZOO_ENGINE", "native") != "native":
        raise OSError("METAZOO_ENGINE says otherwise")
    compiler = shlex.split(os.environ.get("CXX", "")) or [shutil.which("c++") or shutil.which("g++") or ""]
    if not compiler[0]:
        raise OSError("there is no C++ compiler (c++ or g++, or one named by CXX)")
    macros = _output([*compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull])
    if "__AVX512F__" in macros and _clang(macros) in range(SOUND_CLANG):
        raise OSError(f"clang before {SOUND_CLANG} crashes on AVX-512; install a newer one, or name another by CXX")
    missing = [macro for macro in needs if macro not in macros]
    if missing:
        raise OSError(f"the processor, the compiler or the system lacks {', '.join(missing)}")
    texts = [path.read_text() for path in (source, *sorted(HEADERS.glob("*.h")))]
    key = hashlib.sha256("\n".join([macros, *FLAGS, *texts]).encode()).hexdigest()[:16]
    path = cache() / f"{source.stem}-{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / path.name
            _output([*compiler, *FLAGS, "-I", str(HEADERS), str(source), "-o", str(made)])
            files.write(path, made.read_bytes())
    return ctypes.CDLL(str(path))


def _clang(macros: str) -> int | None:
    """The version of clang that defines these macros; None for another compiler."""
    found = re.search(r"^#define __clang_major__ (\d+)$", macros, re.MULTILINE)
    return int(found[1]) if found else None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMPILE_SECONDS)
    except subprocess.CalledProcessError as error:
        raise OSError(f"{command[0]} failed: {error.stderr.strip()[:500]}") from None
    return done.stdout


def at(tensor: torch.Tensor) -> ctypes.c_void_p:
    """The address of a tensor's numbers; the tensor must live as long as it is used."""
    assert tensor.is_contiguous(), "compiled code reads memory as it lies"
    return ctypes.c_void_p(tensor.data_ptr())
