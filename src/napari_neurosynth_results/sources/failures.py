"""What can go wrong between this machine and a server, each a class of its own.

Whoever opens a link decides by the class: a missing map is skipped, a silent server is
not asked again for each of the other maps.
"""

from __future__ import annotations

from napari_neurosynth_results.errors import ResultsError


class WebError(ResultsError):
    """A server did not give what it was asked for."""


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
