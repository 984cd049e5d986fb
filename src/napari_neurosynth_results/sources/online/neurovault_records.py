"""NeuroVault's JSON records -> what is known of an image; nothing is trusted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from napari_neurosynth_results.sources.files.folder import is_image

#: NeuroVault's own hosts: its answers name them over http, whatever was asked.
_HOSTS = frozenset({"neurovault.org", "www.neurovault.org"})
_LONGEST = 200
#: Templates that are no human's, by the code in the record.
_OTHER_SPECIES = {"NMT": "a rhesus macaque (NMT)", "Dorr2008": "a mouse (Dorr 2008)"}


@dataclass(frozen=True)
class ImageRecord:
    """One image of a collection, as NeuroVault describes it.

    Attributes
    ----------
    id : int
        Number of the image.
    name, filename : str
        What its uploader called it; its file name on the server.
    file, thumbnail, labels : str
        Addresses of the map, a picture of it and the names of its labels; empty when
        there are none. They may hold a private token.
    size : int
        Bytes of the file; 0 when the server does not know.
    modified : str
        When it was changed last.
    map_type, image_type : str
        NeuroVault's words for what it is.
    template : str
        Code of the space that the uploader chose.
    collection : str
        Number of its collection.
    """

    id: int
    name: str
    filename: str
    file: str = field(repr=False)
    size: int
    modified: str
    map_type: str = ""
    image_type: str = ""
    template: str = ""
    collection: str = ""
    thumbnail: str = field(default="", repr=False)
    labels: str = field(default="", repr=False)

    def public(self) -> dict[str, Any]:
        """Return what may be written to a file, under NeuroVault's keys."""
        return {
            "id": self.id,
            "name": self.name,
            "file": self.filename,
            "file_size": self.size,
            "modify_date": self.modified,
            "map_type": self.map_type,
            "image_type": self.image_type,
            "target_template_image": self.template,
            "collection_id": self.collection,
        }

    @property
    def is_atlas(self) -> bool:
        """Whether the voxels are labels that may have names."""
        return self.image_type == "atlas"

    @property
    def other_species(self) -> str | None:
        """Whose brain it is when it is not a human's."""
        return _OTHER_SPECIES.get(self.template)


def parse_images(
    records: Iterable[Any], site: str
) -> tuple[list[ImageRecord], list[str]]:
    """Read image records, each image once.

    Parameters
    ----------
    records : iterable
        What the server listed; of any type.
    site : str
        The NeuroVault that was asked: files are fetched there.

    Returns
    -------
    images : list of ImageRecord
        Those whose file can be asked for.
    problems : list of str
        Why the others cannot.
    """
    images: dict[int, ImageRecord] = {}
    problems: list[str] = []
    for record in records:
        if not isinstance(record, Mapping) or not isinstance(record.get("id"), int):
            problems.append("NeuroVault listed something that is not an image.")
            continue
        if record["id"] in images:
            continue
        parsed = _parse(record, site)
        if isinstance(parsed, str):
            problems.append(parsed)
        else:
            images[parsed.id] = parsed
    return list(images.values()), list(dict.fromkeys(problems))


def _parse(record: Mapping[str, Any], site: str) -> ImageRecord | str:
    """Read one record, or say why its file cannot be had."""
    number = record["id"]
    name = record_text(record, "name")
    called = f"Image {number} ({name or 'no name'})"
    file = _rebase_url(record_text(record, "file", longest=2000), site)
    filename = os.path.basename(unquote(urlsplit(file).path))
    if not filename:
        return f"{called} has no file on NeuroVault."
    if not is_image(filename):
        return f"{called} is not a volume ({filename}): surfaces are not shown."
    size = record.get("file_size")
    if size == 0:
        return f"{called}: NeuroVault has lost its file. Ask its owner to upload it."
    return ImageRecord(
        id=number,
        name=name,
        filename=filename,
        file=file,
        size=size if isinstance(size, int) and size > 0 else 0,
        modified=record_text(record, "modify_date"),
        map_type=record_text(record, "map_type"),
        image_type=record_text(record, "image_type"),
        template=record_text(record, "target_template_image"),
        collection=str(record.get("collection_id") or ""),
        thumbnail=_rebase_url(record_text(record, "thumbnail", longest=2000), site),
        labels=_rebase_url(
            record_text(record, "label_description_file", longest=2000), site
        ),
    )


def record_text(record: Mapping[str, Any], key: str, *, longest: int = _LONGEST) -> str:
    """Return a text of a record, empty when it is missing or is no text.

    Parameters
    ----------
    record : mapping
        A record of the server.
    key : str
        Which text.
    longest : int
        Characters kept.

    Returns
    -------
    str
        Without blanks around it.
    """
    value = record.get(key)
    return value.strip()[:longest] if isinstance(value, str) else ""


def _rebase_url(url: str, site: str) -> str:
    """Ask the site that was asked, with its scheme, for a file that it names.

    NeuroVault names its files over http, and under its public name behind a proxy.

    Parameters
    ----------
    url : str
        An address out of a record.
    site : str
        The NeuroVault that was asked.

    Returns
    -------
    str
        On `site` when it names NeuroVault; other hosts stay, to be refused by name.
    """
    try:
        parts = urlsplit(url)
        here = urlsplit(site)
        host, port = parts.hostname, parts.port
        if not url or not host:
            return ""
        if host in _HOSTS or (host, port) == (here.hostname, here.port):
            # Old uploads keep odd characters; what is encoded already stays.
            path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
            return f"{here.scheme}://{here.netloc}{path}"
    except ValueError:
        return ""
    return url
