"""What the status and the headers of an answer mean, in words for the user."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.placeholders import JsonRefusedError, load_json

if TYPE_CHECKING:
    # What sends requests is loaded when one is made.
    from napari_neurosynth_results.sources.web.request import ResponseHead

_PASSING = frozenset({429, 502, 503, 504, *range(520, 528), 530})
#: What a server or the proxy before it says when all its workers are taken.
_BUSY = frozenset({429, 502, 503, 504})
_NUMBER_HINT = (
    " A private collection opens only by the link with eight capital letters: ask its "
    "owner for it."
)
#: What is asked of NeuroVault, by its address -> why it may be refused or not there.
_HINTS = (
    (
        re.compile(r"/media/"),
        " NeuroVault lists it, but does not hand out its file: its owner may have "
        "replaced it since, or closed the collection. Open the collection again.",
    ),
    (
        re.compile(r"/my_collections/"),
        " NeuroVault does not know the token in NNR_NEUROVAULT_TOKEN: copy it again, "
        "or leave it out.",
    ),
    (
        re.compile(r"/[A-Z]{8}(?=[-/])"),
        " The private link opens nothing: a letter of it may be missing, or its owner "
        "has taken it back. Ask for it again.",
    ),
)


class WebError(ResultsError):
    """A server did not give what it was asked for.

    Each way to fail is a class of its own, because whoever opens a link decides by it:
    a missing map is skipped, a silent server is not asked again for the other maps.
    """


class NotFoundError(WebError):
    """The server has no such thing (404, 410)."""


class ForbiddenError(WebError):
    """The server has it, and does not give it to everybody (401, 403)."""


class ServerError(WebError):
    """The server failed, or wants to be left alone (5xx, 429 and unusual answers)."""


class UnreachableError(WebError):
    """No connection, or no answer in time."""


class BrokenAnswerError(WebError):
    """Something came, but not what was asked for: cut, too long, or not JSON."""


class RefusedAddressError(WebError):
    """The address is not on a server that may be asked."""


class OfflineError(WebError):
    """Only the cache may be asked, and it does not hold this."""


@dataclass(frozen=True)
class WebResponse:
    """An answer with status 200, and what was asked of whom.

    Attributes
    ----------
    head : ResponseHead
        Its status and headers.
    body : iterator of bytes
        Its body, as it comes.
    what, host : str
        What was asked of whom.
    job : Job
        For whom.
    """

    head: ResponseHead
    body: Iterator[bytes]
    what: str
    host: str
    job: Job


class AttemptError(Exception):
    """One try failed; another may not.

    Parameters
    ----------
    error : WebError
        What to raise when no try is left.
    tries : int, optional
        How many tries to make at most; None for as many as there are.
    wait : float, optional
        Seconds that the server asks to wait.
    busy : bool
        Whether the server said that others keep it busy.
    """

    def __init__(
        self,
        error: WebError,
        tries: int | None = None,
        wait: float | None = None,
        *,
        busy: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error, self.tries, self.wait, self.busy = error, tries, wait, busy


def access_hint(path: str) -> str:
    """Say why NeuroVault may refuse a path, or say that there is nothing.

    Private collections answer like missing ones, and so do files that were replaced.

    >>> access_hint("/api/collections/23064/")[:35]
    ' A private collection opens only by'
    """
    return next((h for form, h in _HINTS if form.search(path)), _NUMBER_HINT)


def status_error(
    head: ResponseHead, what: str, host: str, hint: str = ""
) -> AttemptError:
    """Say what a status other than 200 means.

    Parameters
    ----------
    what, host : str
        What was asked of whom.
    hint : str
        Why that may be, for what is refused or not there.

    Returns
    -------
    AttemptError
        With the error, and whether to try again.
    """
    status = head.status
    if status in (404, 410):
        return AttemptError(
            NotFoundError(
                f"{what} was not found on {host} ({status}). "
                f"Check the link in your browser; it may have been removed.{hint}"
            ),
            tries=1,
        )
    if status in (401, 403):
        return AttemptError(
            ForbiddenError(
                f"{what} is not public: {host} refused access ({status}).{hint}"
            ),
            tries=1,
        )
    if status == 429:
        text = f"{what} was not loaded: {host} is getting too many requests (429)."
        text += " Wait a few minutes, then try again."
    elif status >= 500:
        text = f"{what} was not loaded: {host} failed ({status}). "
        # NeuroVault answers so to paths that its own pages never hold.
        text += (
            "Check the link; if it is right, try again later."
            if status == 500
            else "It is probably down or overloaded; try again later."
        )
    else:
        text = f"{what} was not loaded: {host} gave an unusual answer ({status}). "
        text += "Open the link in your browser to see what it says."
    tries = None if status in _PASSING else 2 if status == 500 else 1
    busy = status in _BUSY
    return AttemptError(ServerError(text), tries, retry_after(head), busy=busy)


def retry_after(head: ResponseHead) -> float | None:
    """Return how many seconds the server asks to wait, None when it does not."""
    text = head.get("retry-after").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())


def stated_length(head: ResponseHead) -> int | None:
    """Return how many bytes the body has, None when the answer does not say."""
    text = head.get("content-length").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def refuse_page(answer: WebResponse) -> None:
    """Raise `AttemptError` for a web page with status 200 where data was asked for."""
    if (
        answer.head.get("content-type")
        .lower()
        .startswith(("text/html", "application/xhtml"))
    ):
        raise AttemptError(
            BrokenAnswerError(
                f"{answer.what} was not loaded: {answer.host} gave a web page instead. "
                "Check the link. If it is right, this network may want you to log in "
                "first: open any page in your browser, then try again."
            ),
            tries=1,
        )


def parse_json_body(data: bytes, answer: WebResponse) -> Any:
    """Return the JSON of a body.

    Parameters
    ----------
    data : bytes
        The body; a byte order mark is skipped.
    answer : WebResponse
        Where it comes from.

    Returns
    -------
    Any
        The value, never None; its shape is for the caller to check.

    Raises
    ------
    AttemptError
        When it is no JSON, or null.
    """
    try:
        value = load_json(data)
    except JsonRefusedError as error:
        text = f"{answer.what} was not loaded: the answer of {answer.host} {error}. "
        text += "Tell the site."
        raise AttemptError(BrokenAnswerError(text), tries=1) from None
    except ValueError:
        # An answer without a length that was cut ends up here, so it is tried again;
        # a page of a captive portal or of a wrong address is not.
        refuse_page(answer)
        page = data.lstrip()[:1] == b"<"
        text = f"{answer.what} was not loaded: the answer of {answer.host} is damaged "
        text += "(not JSON). Try again; if that does not help, tell the site."
        raise AttemptError(BrokenAnswerError(text), tries=1 if page else None) from None
    if value is None:
        text = (
            f"{answer.what} was not loaded: {answer.host} gave an empty answer (null). "
        )
        text += "Check the link, or try again later."
        raise AttemptError(BrokenAnswerError(text), tries=1)
    return value
