"""What NeuroVault keeps: collections, their images, atlases, packs and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from local_servers import documents
from local_servers.files import nidm_zip, nifti_bytes, png_bytes


@dataclass
class Collection:
    """A collection: its record, its images, its files by path below its folder."""

    id: int
    token: str | None
    record: dict[str, Any]
    base: str
    images: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    nidm: list[dict[str, Any]] = field(default_factory=list)
    #: "", "lies", "repeats", "loops" or "foreign": how its list of images is wrong.
    paging: str = ""

    @property
    def place(self) -> str:
        """What stands in its paths: the token of a private collection."""
        return self.token or str(self.id)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The images that are records: a test may list other things between them."""
        return [image for image in self.images if isinstance(image, dict)]

    def add_image(self, filename: str, data: Any, **fields: Any) -> dict[str, Any]:
        """Add an image.

        Parameters
        ----------
        filename : str
            Name of the file; one that is taken gets a number, as on the real site.
        data : bytes or array_like
            The file, or its voxels.
        **fields
            Keys of the record to set: ``id``, ``map_type``, ``file_size``, ``file`` ...

        Returns
        -------
        dict
            The record, which may be changed.
        """
        body = data if isinstance(data, bytes) else nifti_bytes(data)
        name = self._free(filename)
        number = int(fields.pop("id", self.id * 1000 + len(self.images) + 1))
        fields = {"name": filename, "collection_id": self.id} | fields
        record = documents.image_record(
            number, quote(name), len(body), self.base, self.place, **fields
        )
        if self.token:
            record["url"] = f"{self.base}/collections/{self.token}/images/{number}/"
        self.images.append(record)
        self.files[name] = body
        self.files[f"glass_brain_{number}.jpg"] = png_bytes()
        self._count()
        return record

    def add_by_form(self, filename: str, data: Any) -> dict[str, Any]:
        """Add an image as the site's form does: an ending twice, a name with spaces."""
        stem = filename.removesuffix(".nii.gz")
        name = "".join(c if c.isalnum() else " " for c in stem).strip()
        return self.add_image(f"{stem}.nii.nii.gz", data, name=name)

    def replace_image(self, record: dict[str, Any], data: Any) -> None:
        """Replace the file of an image, as the real site does.

        The new file gets a number, because the old one is still there when it comes;
        then the old one goes. The image keeps its id, its name and its place.
        """
        old = unquote(record["file"].rsplit("/", 1)[1])
        body = data if isinstance(data, bytes) else nifti_bytes(data)
        name = self._free(old)
        self.files[name] = body
        del self.files[old]
        record |= {
            "file": record["file"].removesuffix(quote(old)) + quote(name),
            "file_size": len(body),
            "modify_date": "2026-03-01T10:00:00.000000+01:00",
        }

    def add_atlas(
        self, filename: str, data: Any, xml: bytes, **fields: Any
    ) -> dict[str, Any]:
        """Add an atlas with the names of its labels."""
        record = self.add_image(filename, data)
        name = self._free(filename.replace(".nii.gz", ".xml"))
        self.files[name] = xml
        media = f"{self.base}/media/images/{self.place}"
        documents.as_atlas(record, f"{media}/{quote(name)}")
        record.update(fields)
        return record

    def add_nidm_pack(self, name: str, maps: dict[str, Any]) -> dict[str, Any]:
        """Add a NIDM-Results pack, whose name ends in ``.nidm``, of files and voxels.

        Its maps are in the list of images too; the pack is not.
        """
        page = f"{self.base}/collections/{self.place}/{name}"
        bodies = {
            file: data if isinstance(data, bytes) else nifti_bytes(data)
            for file, data in maps.items()
        }
        records = []
        for file, body in bodies.items():
            record = self.add_image(f"{name}/{file}", body, name=file)
            records.append(documents.as_nidm_map(record, name, page))
        number = self.id * 1000 + 900 + len(self.nidm)
        pack = documents.nidm_pack(number, name, page, self.id, records)
        self.nidm.append(pack)
        self.files[f"{name}.zip"] = nidm_zip(bodies)
        self.files[f"{name}.ttl"] = b"@prefix nidm: <http://purl.org/nidash/nidm#> ."
        self._count()
        return pack

    def _count(self) -> None:
        # The real number counts packs too, so it is not the length of the list.
        self.record["number_of_images"] = len(self.images) + len(self.nidm)

    def _free(self, filename: str) -> str:
        """Return a file name that is not taken: ``z_1.nii.gz`` for ``z.nii.gz``."""
        ending = next(
            (e for e in (".nii.gz", ".nii", ".xml") if filename.endswith(e)), ""
        )
        stem, number, name = filename.removesuffix(ending), 0, filename
        while name in self.files:
            number += 1
            name = f"{stem}_{number}{ending}"
        return name
