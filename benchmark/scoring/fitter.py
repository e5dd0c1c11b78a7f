"""The process that fits and predicts: it is given nets and the labels to learn from, and answers in JSON.

A user's metanet runs in a process in which no zoo was ever opened: neither its folder nor the test nets' labels are there
to be found. The process that scores runs none of the user's code, and takes from it numbers only. This keeps mistakes and
shortcuts out of a score; it is no sandbox, for code that goes to look for the zoo's files on the disk.
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from benchmark.scoring.channel import receive, receive_bytes, send, send_bytes
from benchmark.scoring.fit import EXACT, About, Fits, Fitting, Given, Outcome, Own
from metanets.inputs.canonical import split
from metanets.inputs.unable import UnableError
from zoo.training.machine import one_thread_that_keeps_its_memory
from zoo.untrusted.child import few_variables

KEPT = 2**26  # bytes of a block of memory that is kept: those of a step, not those of a zoo
ENDING = 5.0  # seconds that a process may take to end, once it has hung up
LOOK_EVERY = 1.0  # seconds between looks whether the parent is still there
START = "import sys; sys.path[:] = {path!r}; from benchmark.scoring.fitter import serve; serve({number}, memory={memory})"
ERRORS = {one.__name__: one for one in (UnableError, ValueError, OSError)}  # that an answer may name; the first fits
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Limits:
    """What a process that fits may take: seconds of wall clock, its start included, and bytes of memory of its own.

    The memory is that of each process that it starts, and is not limited on macOS and Windows.
    """

    seconds: float
    memory: int


@checked_dataclass(frozen=True, config=EXACT)
class Answer:
    """What came of a question: something found, or the kind of an error and its text."""

    found: Any = None
    error: str | None = None
    text: str = ""


_ANSWER = TypeAdapter(Answer).validate_json
_ABOUT = TypeAdapter(About).validate_python
_OUTCOMES = TypeAdapter(dict[int, Outcome]).validate_python
_PREDICTIONS = TypeAdapter(dict[int, list[float]]).validate_python


class Fitter:
    """A process of its own that does what `Fits` does. Raises as it does, and RuntimeError where the process dies.

    With `limits` it is ended where it takes longer, has few of this process's variables, none of them a token, and as HOME
    an empty folder, which `close` removes; what it prints is not shown.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.home = TemporaryDirectory(prefix="metazoo-home-", ignore_cleanup_errors=True) if limits else None
        self.channel, theirs = socket.socketpair()
        self.metanet, self.limits, self.late = "", limits, False
        code = START.format(path=sys.path, number=theirs.fileno(), memory=limits and limits.memory)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if limits else None,
                stderr=subprocess.DEVNULL if limits else None,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches whoever scores, who ends it
                env=few_variables() | {"HOME": self.home.name} if self.home else None,
            )
        self.watch = threading.Thread(target=self._watch, daemon=True)
        self.watch.start()

    def describe(self, metanet: str) -> About:
        """As `Fits.describe`."""
        self.metanet = metanet
        return self._asked(_ABOUT, "describe", metanet)

    def fit(self, asked: Fitting) -> dict[int, Outcome]:
        """As `Fits.fit`."""
        self.metanet = asked.metanet
        return _complete(self._asked(_OUTCOMES, "fit", asked), asked.seeds)

    def predict(self, given: Given, seeds: list[int], *, elsewhere: bool = False) -> dict[int, list[float]]:
        """As `Fits.predict`."""
        return _complete(self._asked(_PREDICTIONS, "predict", given, seeds, elsewhere=elsewhere), seeds)

    def close(self) -> None:
        """Ends the process, whatever it does, and those that it started, and removes its HOME."""
        _end_session(self.process.pid)
        self.process.wait()
        self.watch.join()
        self.channel.close()
        if self.home:
            self.home.cleanup()

    def _watch(self) -> None:
        """Ends the process when its time is over, and then the conversation: what it started may hold its socket open."""
        try:
            self.process.wait(None if self.limits is None else self.limits.seconds)
        except subprocess.TimeoutExpired:
            self.late = True
            _end_session(self.process.pid)
            self.process.wait()
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)

    def _asked(self, checked: Callable[[Any], _Found], what: str, *given: object, **named: object) -> _Found:
        try:
            send(self.channel, (what, given, named))
            answer = _ANSWER(receive_bytes(self.channel))
            if answer.error is not None:
                raise ERRORS.get(answer.error, RuntimeError)(answer.text)
            return checked(answer.found)
        except (EOFError, ConnectionError):
            raise RuntimeError(f"{self.metanet}: the process that fits it {self._end()}") from None
        except ValidationError as error:
            raise ValueError(f"{self.metanet}: the process that fits it answers what is no result: {error}") from None

    def _end(self) -> str:
        try:
            code = self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            return "does not answer any more: it has closed its connection"
        if self.late and self.limits:
            return f"was ended: it took more than the {self.limits.seconds:g} s that it may take"
        if code == -signal.SIGKILL:
            return "was killed (out of memory?); with fewer --workers there is more for each"
        return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended by itself, with exit status {code}"


def _complete(found: dict[int, _Found], seeds: list[int]) -> dict[int, _Found]:
    if sorted(found) != sorted(seeds):
        raise ValueError(f"a process that fits answers for the seeds {sorted(found)}; expected {sorted(seeds)}")
    return found


class Fitters:
    """The processes of one scoring: started when they are needed, and lent again for the same metanet.

    Where a user's code has run no other metanet is fitted; those of the suite share. Metanets that are objects of this
    process (`own`) are fitted in it, one at a time.
    """

    def __init__(self, start: Callable[[], Any] = Fitter, own: Mapping[str, Own] = MappingProxyType({})) -> None:
        self.start, self.own, self.lock, self.here = start, own, threading.Lock(), threading.Lock()
        self.idle, self.all = list[tuple[str, Any]](), list[Any]()
        self.closed = False

    @contextmanager
    def lent(self, metanet: str) -> Iterator[Any]:
        """A process for this metanet alone, which is closed where it fails."""
        if split(metanet)[0] in self.own:
            with self.here:
                yield Fits(self.own)
            return
        owner = metanet if ":" in metanet else ""
        fitter = self._taken(owner)
        try:
            yield fitter
        except BaseException:
            with self.lock:
                if fitter in self.all:
                    self.all.remove(fitter)
                    fitter.close()
            raise
        with self.lock:
            self.idle.append((owner, fitter))

    def close(self) -> None:
        """Ends all processes."""
        with self.lock:
            self.closed = True
            while self.all:
                self.all.pop().close()

    def _taken(self, owner: str) -> Any:
        with self.lock:
            if self.closed:
                raise RuntimeError("the scoring has ended")
            place = next((i for i, (of, _) in enumerate(self.idle) if of == owner), None)
            if place is not None:
                return self.idle.pop(place)[1]
            if self.idle:  # of another metanet: there are never more than work at the same time
                gone = self.idle.pop(0)[1]
                self.all.remove(gone)
                gone.close()
            fitter = self.start()
            self.all.append(fitter)
            return fitter


def serve(number: int, *, memory: int | None = None) -> None:
    """A process's life: answers what the socket of that number asks until it is closed, or the parent is gone.

    `memory`: bytes of its own that it may have.
    """
    if memory is not None and importlib.util.find_spec("resource") is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.argv = sys.argv[:1]
    one_thread_that_keeps_its_memory(KEPT)
    channel, fits = socket.socket(fileno=number), Fits()
    while True:
        try:
            what, given, named = receive(channel)
        except EOFError:
            return
        data = _answer(fits, what, given, named)
        del given, named
        send_bytes(channel, data)


def _answer(fits: Fits, what: str, given: tuple[Any, ...], named: dict[str, Any]) -> bytes:
    try:
        return json.dumps({"found": getattr(fits, what)(*given, **named)}, default=_plain).encode()
    except (ValueError, OSError) as error:
        kind = next(name for name, one in ERRORS.items() if isinstance(error, one))
        return json.dumps({"error": kind, "text": str(error) or type(error).__name__}).encode()
    except (MemoryError, torch.OutOfMemoryError) as error:
        told = f"{fits.metanet}: out of memory; with fewer --workers there is more for each: {error}".removesuffix(": ")
        return json.dumps({"error": "RuntimeError", "text": told}).encode()
    except Exception:
        told = f"a process that fits metanets failed:\n{traceback.format_exc()}"
        return json.dumps({"error": "RuntimeError", "text": told}).encode()


def _plain(found: Any) -> Any:
    return found.item() if isinstance(found, np.generic) else asdict(found)


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, even by `kill -9`."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    _end_session(os.getpid())


def _end_session(leader: int) -> None:
    """Ends a process that leads a session, and all that it started there, even where it is gone itself."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
