"""What goes between a client and the hub: requests, answers, refusals, and the faults that tests ask for."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request as routes see it."""

    method: str
    path: str  # still percent-encoded, without the query
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Reply:
    """An answer: bytes go out as they are, other values as JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 -- it is the answer, not a mistake of the server
    """An answer that is an error, with the code from which clients choose the exception to raise."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = Reply({"error": message}, status, {"X-Error-Code": code, "X-Error-Message": message})


@dataclass(kw_only=True)
class Fault:
    """What goes wrong, once `after` more requests have matched, for the `times` requests that follow."""

    method: str  # "*" for any
    path: str  # a regular expression that is found in the path
    after: int = 0
    times: int = 1
    status: int | None = None  # answers this instead; 429 and 503 with `Retry-After: 0`
    code: str = ""  # ... with this X-Error-Code
    body: str | None = None  # carries the request out, then: "cut" sends half of the body, "wrong" other bytes of the
    # same length, "drop" closes the connection without an answer
    call: Callable[[], object] | None = None  # is called first, as when a test kills its client at this request

    def strikes(self, request: Request) -> bool:
        """Whether this request is hit; counts it."""
        if self.times == 0 or self.method not in ("*", request.method) or not re.search(self.path, request.path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Logged(NamedTuple):
    """A request as it was answered. `authorised`: whether a token was sent; the token itself is never kept."""

    method: str
    path: str
    status: int  # 0: the connection was closed without an answer
    received: int  # bytes of the request's body
    authorised: bool
