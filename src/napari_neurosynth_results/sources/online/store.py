"""What servers gave, asked for once: the web and the cache as one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.files.images import check_image
from napari_neurosynth_results.sources.online.neurovault_records import ImageRecord
from napari_neurosynth_results.sources.placeholders import read_at_most
from napari_neurosynth_results.sources.web.cache import (
    Cache,
    CacheKey,
    NotWritableError,
)
from napari_neurosynth_results.sources.web.client import (
    BrokenAnswerError,
    OfflineError,
    ServerError,
    UnreachableError,
    WebClient,
)
from napari_neurosynth_results.sources.web.servers import Servers

#: Stands for a private token in what is kept.
_HIDDEN = "********"
#: Compose serves the key that lets anybody write to a result to everybody, and by
#: which account of which service somebody logs in.
_SECRET_KEYS = frozenset({"run_key", "user"})
#: Cost of guessing a token from the name that its documents are kept under: 26 to the
#: power of 8 tokens, at some 20 ms each.
_SCRYPT = {"n": 2**13, "r": 8, "p": 1}
_SALT = b"napari-neurosynth-results: private NeuroVault collections"
#: Then what was kept is better than nothing, a captive portal's page included.
_NO_ANSWER = (OfflineError, UnreachableError, ServerError, BrokenAnswerError)
_MOST_BESIDE = 16 << 20


@dataclass(frozen=True)
class Document:
    """A JSON answer.

    Attributes
    ----------
    value : object
        The answer, without secret keys.
    cache_notice : str
        When it was cached and why it is shown, for an answer out of the cache; or why
        it could not be kept.
    """

    value: Any
    cache_notice: str = ""


class Store:
    """The servers and the cache.

    Parameters
    ----------
    online : Servers
        Which servers, and where the cache is.
    """

    def __init__(self, online: Servers) -> None:
        self.online = online
        self.web = WebClient(online)
        self.cache = Cache(online.cache_dir, online.cache_bytes)

    def document(
        self, url: str, what: str, job: Job, *, secret: str = "", lasting: bool = False
    ) -> Document:
        """Return the JSON at an address; what was kept when it cannot be asked.

        Parameters
        ----------
        url, what : str
            The address, and what to call it in messages.
        job : Job
            Hears how far it is.
        secret : str
            Private token in the address: kept neither in names nor in contents.
        lasting : bool
            Whether the document never changes, so that one kept is as good.

        Returns
        -------
        Document
            Fresh, or with the time when it was kept.

        Raises
        ------
        ResultsError
            When there is neither an answer nor a copy.
        """
        name = url.replace(secret, sealed_name(secret)) if secret else url
        kept = self.cache.get_document(name) if lasting else None
        if kept is not None and kept.value:
            return Document(kept.value)
        try:
            value = self.web.get_json(url, what=what, job=job)
        except _NO_ANSWER as error:
            kept = self.cache.get_document(name)
            if kept is None:
                raise
            saved = datetime.fromtimestamp(kept.saved).strftime("%Y-%m-%d %H:%M")
            reason = f"Shown as it was on {saved}. {error}"
            return Document(_replace_text(kept.value, _HIDDEN, secret), reason)
        try:
            value = _drop_secret_keys(value)
            self.cache.put_document(name, mask_token(value, secret))
        except NotWritableError:
            return Document(value, self.cache.trouble)
        except RecursionError as error:
            raise ResultsError(
                f"{what}: the answer is nested too deeply to be a record of this "
                "server. Try again later."
            ) from error
        return Document(value)

    def find(self, image: ImageRecord) -> Path | None:
        """Return the file of an image that was fetched before, else None."""
        return self.cache.find(self._key(image))

    def fetch(self, image: ImageRecord, job: Job, max_bytes: int) -> Path:
        """Return the file of an image, downloaded and checked if it is not here.

        Parameters
        ----------
        job : Job
            Hears how far it is.
        max_bytes : int
            Refuse larger files.

        Returns
        -------
        Path
            A whole file.

        Raises
        ------
        ResultsError
            When it cannot be had; the text says why.
        """
        return self.cache.file(
            self._key(image),
            lambda path: self.web.download(
                image.file,
                path,
                what=image.filename,
                expected=image.size or None,
                max_bytes=max_bytes,
                job=job,
            ),
            lambda path: check_image(
                path, image.size, what=image.filename, max_bytes=max_bytes
            ),
        )

    def fetch_companion(
        self, image: ImageRecord, url: str, what: str, job: Job
    ) -> bytes:
        """Return a small file that belongs to an image: its picture, its label names.

        Raises
        ------
        ResultsError
            When it cannot be had.
        """
        filename = url.rsplit("/", 1)[-1]
        key = CacheKey(
            site=self.online.neurovault,
            id=f"{what}-{image.id}",
            filename=filename,
            modified=image.modified,
            size=0,
        )

        def fill(path: Path) -> None:
            got = self.web.get_bytes(url, what=what, job=job, max_bytes=_MOST_BESIDE)
            path.write_bytes(got)

        with self.cache.file(key, fill, _accept_any).open("rb") as file:
            return read_at_most(file, _MOST_BESIDE)

    def _key(self, image: ImageRecord) -> CacheKey:
        return CacheKey(
            site=self.online.neurovault,
            id=f"image-{image.id}",
            filename=image.filename,
            modified=image.modified,
            size=image.size,
        )


@lru_cache(maxsize=8)
def shared_store(online: Servers) -> Store:
    """Return the one store for some servers: one session, four requests at once.

    Parameters
    ----------
    online : Servers
        Which servers, and where the cache is.

    Returns
    -------
    Store
        The same for all that is opened there.
    """
    return Store(online)


def _accept_any(path: Path) -> None:
    """Accept any content: it is checked by whoever reads it."""


@lru_cache(maxsize=16)
def sealed_name(secret: str) -> str:
    """Name what a private token opens, so that nobody finds the token by the name.

    Returns
    -------
    str
        ``private-`` and 32 hexadecimal digits.
    """
    digest = hashlib.scrypt(secret.encode(), salt=_SALT, dklen=16, **_SCRYPT)
    return f"private-{digest.hex()}"


def mask_token(value: Any, secret: str) -> Any:
    """Return a document without a private token, wherever it stood."""
    return _replace_text(value, secret, _HIDDEN)


def _replace_text(value: Any, old: str, new: str) -> Any:
    """Replace a text wherever it stands in a document."""
    if not (old and new):
        return value
    return _map_texts(value, lambda text: text.replace(old, new))


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_texts(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _map_texts(item, change) for key, item in value.items()}
    return value


def _drop_secret_keys(value: Any) -> Any:
    """Drop keys and log-ins at any depth, before anything else sees them."""
    if isinstance(value, list):
        return [_drop_secret_keys(item) for item in value]
    if isinstance(value, dict):
        return {
            key: _drop_secret_keys(item)
            for key, item in value.items()
            if key not in _SECRET_KEYS
        }
    return value
