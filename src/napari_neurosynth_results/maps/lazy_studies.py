"""Studies that are looked for when somebody first asks who is behind a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_neurosynth_results.maps.studies import Studies


class LazyStudies:
    """The studies of a result, found once.

    Parameters
    ----------
    find : callable, optional
        Finds them; None where there are none to find.
    remote : bool
        Whether finding them may ask a server, and so take long.
    """

    def __init__(
        self, find: Callable[[], Studies | None] | None, *, remote: bool
    ) -> None:
        self._find = find
        self._remote = remote
        self._found: list[Studies | None] = [None] if find is None else []

    @property
    def at_hand(self) -> bool:
        """Whether `get` answers without asking a server."""
        return bool(self._found) or not self._remote

    def get(self) -> Studies | None:
        """Return the studies, None where none are known.

        Raises
        ------
        ResultsError
            When a server holds them and cannot be asked, or a file is broken.
        """
        if not self._found:
            assert self._find is not None
            self._found.append(self._find())
        return self._found[0]


#: A result of which no studies are known.
NOBODY = LazyStudies(None, remote=False)
