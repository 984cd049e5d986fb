"""NeuroVault's JSON records -> what is known of an image; nothing is trusted."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.sources.files.folder import is_image

#: NeuroVault's own hosts: its answers name them over http, whatever was asked.
_HOSTS = frozenset({"neurovault.org", "www.neurovault.org"})
_LONGEST = 200
#: An ending that was taken for a part of the name, before or after a number.
_DOUBLED = re.compile(r"(?:\.nii)+(_\d{1,4})?(\.nii(?:\.gz)?)$", re.I)
_COUNTED = re.compile(r"^(.+)_\d{1,4}$")
#: Templates that are no human's, by the code in the record.
_OTHER_SPECIES = {"NMT": "a rhesus macaque (NMT)", "Dorr2008": "a mouse (Dorr 2008)"}
#: In the address of a map of a NIDM-Results pack; a second pack of a name is numbered.
_PACK = re.compile(r"/([^/]{1,80})\.nidm(_\d+)?/[^/]+$")


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
    called : str
        The file name by which it is known what the map is, without what the server
        added to it: see `settle_names`.
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
    called: str = ""

    def public(self) -> dict[str, Any]:
        """Return what may be written to a file, under NeuroVault's keys."""
        return {
            "id": self.id,
            "name": self.name,
            "file": self.called or self.filename,
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
    def pack(self) -> str:
        """The NIDM-Results pack that it is in, empty when in none."""
        found = _PACK.search(unquote(self.file))
        return re.sub(r"[^A-Za-z0-9]+", "-", "".join(found.groups(""))) if found else ""

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


def settle_names(images: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Say by which name each map of a collection is read.

    NeuroVault numbers a file whose name is taken, also by the file that it replaces:
    then ``z_1.nii.gz`` is what its uploader still calls ``z.nii.gz``. Where both are
    there, they are two maps and keep their names. Its form leaves ``z.nii.nii.gz``. The
    maps of several NIDM-Results packs begin with the name of their pack.

    Parameters
    ----------
    images : iterable of ImageRecord
        What is opened together.

    Returns
    -------
    list of ImageRecord
        With `ImageRecord.called`.
    """
    images = list(images)
    settled = settle_filenames([(image.filename, image.name) for image in images])
    several = len({image.pack for image in images if image.pack}) > 1
    return [
        replace(
            image, called=f"{image.pack}_{name}" if several and image.pack else name
        )
        for image, name in zip(images, settled, strict=True)
    ]


def settle_filenames(files: Sequence[tuple[str, str]]) -> list[str]:
    """Say by which name each map is read, as `settle_names` does.

    Parameters
    ----------
    files : sequence of (str, str)
        The name of each file on the server, and what its uploader called the map.

    Returns
    -------
    list of str
        File names without what the server added.
    """
    plain = [_DOUBLED.sub(r"\1\2", filename) for filename, _ in files]
    bare = [_bare(name, said) for name, (_, said) in zip(plain, files, strict=True)]
    often = Counter(bare)
    return [
        short if often[short] == 1 else name
        for name, short in zip(plain, bare, strict=True)
    ]


def _bare(filename: str, said: str) -> str:
    """Take off a server's number, where the uploader's name of a map has none."""
    stem, extension = split_extension(filename)
    counted = _COUNTED.match(stem)
    if not counted:
        return filename
    spelled = [
        re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
        for text in (counted[1], _DOUBLED.sub(r"\1\2", split_extension(said)[0]))
    ]
    spelled[1] = spelled[1].removesuffix(" nii")
    return counted[1] + extension if spelled[0] == spelled[1] else filename


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
