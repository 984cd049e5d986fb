"""The one error this package raises on purpose, so that callers can catch it whole."""


class ResultsError(Exception):
    """Something about a result could not be opened, read or answered.

    The text names the file or the request, says what happened and what to do next.
    """
