"""Whether a hub of data sets can be reached from here, and whether there is a login to it. No secret is read."""

import os
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from benchmark.doctor.finding import Finding

HUB = "https://huggingface.co"
HUB_SECONDS = 3.0


def hub() -> Iterator[Finding]:
    """Whether the hub answers, within HUB_SECONDS."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        yield Finding("hub", "note", "not asked: HF_HUB_OFFLINE is set", "unset it to publish or fetch")
        return
    address, reason = _address(os.environ.get("HF_ENDPOINT") or HUB), None
    if address is None:
        yield Finding("hub", "warning", "HF_ENDPOINT is no http(s) address", "unset it, or give one such as " + HUB)
        return
    try:
        status = _status(address)
        if status >= 400 and status not in (404, 405, 501):  # these only mean that nothing lies at the root
            reason = f"it answers {status}"
    except (HTTPException, ValueError) as error:
        reason = type(error).__name__  # its text may be a part of the proxy's address, and so of its password
    except OSError as error:
        reason = str(getattr(error, "reason", None) or error or type(error).__name__)
    if reason is None:
        yield Finding("hub", "ok", f"{address} is reachable")
    else:
        advice = "without a hub all works but publish, fetch and --download; see HF_ENDPOINT and the proxy's settings"
        yield Finding("hub", "warning", f"{address} is not reachable: {reason}", advice)


def _address(text: str) -> str | None:
    """The address without a name or password in it, which must not be shown; None where it is no http(s) address."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}" if parts.scheme in ("http", "https") and host else None


def _status(address: str) -> int:
    """The status that a HEAD of the address is answered with; redirects are an answer, and are not followed."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    with opener.open(urllib.request.Request(address, method="HEAD"), timeout=HUB_SECONDS) as answer:
        return int(answer.status)


def login() -> Iterator[Finding]:
    """Whether there is a hub login: by the environment's names and a file's size, never by what they hold."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    file = Path(os.environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
    named = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
    try:
        if named:
            yield Finding("hub login", "ok", f"yes, by {named[0]}")
        elif file.is_file() and file.stat().st_size:
            yield Finding("hub login", "ok", "yes, by `hf auth login`")
        else:
            yield Finding("hub login", "note", "none", "only publishing needs one: `hf auth login`, or HF_TOKEN")
    except OSError as error:
        yield Finding("hub login", "warning", f"{file} cannot be looked at: {error.strerror}", "to publish, set HF_TOKEN")
