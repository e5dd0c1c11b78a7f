"""What a board calls a metanet: the suite's own by their names, all others with whose they are and from which code."""

import re
import unicodedata

from benchmark.records.records import Method
from benchmark.submissions.submission import Submission
from metanets.inputs.hyper_parameters import reads_them
from metanets.table import NAMES

LOOK_ALIKE = {  # what looks like Latin letters once it is in small letters: Cyrillic, Greek, digits and signs
    **str.maketrans("авеԁіӏкмнорсԛтухѕјһԝ", "abediikmhopcqtyxsjhw"),
    **str.maketrans("αβεηικμνορτυχω", "abenikmnoptuxw"),
    **str.maketrans("01357|!$@", "oiestiisa"),
}
INSIDE = str.maketrans("()", "[]")  # so that what a submitter writes ends no brackets of ours
DIGITS = 8  # of a hash that are shown


def label(method: Method, submission: Submission | None) -> str:
    """The name that a metanet goes by on boards, the same wherever it is shown, and never another's.

    Of the suite's own code it is the plain name. A name of a user's code or of a submission, or one that looks like the
    suite's and is not, tells the beginning of its code's SHA-256, or that it is unknown; one that was submitted tells by
    whom, and one that reads hyper-parameters and no weights says so.
    """
    marks = []
    if method.code is not None:
        marks.append(f"code {method.code.sha256[:DIGITS]}")
    elif ":" in method.name or (method.name not in NAMES and (submission is not None or resembles(method.name))):
        marks.append("code unknown")
    if reads_them(method.reads) and not is_of_the_suite(method, submission):
        marks.append("reads hyper-parameters")
    if submission is not None:
        marks.append(f"submitted by {submission.contact.translate(INSIDE)}")
    return f"{method.name} ({', '.join(marks)})" if marks else method.name


def is_of_the_suite(method: Method, submission: Submission | None) -> bool:
    """Whether a result is of the suite's own code: its name, no code of a user, and submitted by nobody."""
    return method.name in NAMES and method.code is None and submission is None


def resembles(name: str) -> str | None:
    """The suite's metanet whose name this one is, or reads as: by case, separators or letters that look alike."""
    read = _read(name)
    return next((known for known in NAMES if _read(known) == read), None)


def _read(name: str) -> str:
    """A name as a hasty reader takes it."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold()).translate(LOOK_ALIKE)
    letters = re.sub(r"[^a-z0-9]", "", plain)
    return letters.replace("rn", "m").replace("vv", "w").replace("l", "i")  # l, I and 1 are one stroke
