"""What mutations.py breaks: valid texts of each format, how each is opened."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from mutated_images import LIMIT, Format, Seed, check_causes

import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from local_servers import LocalServers, label_xml, nifti_bytes

_ROOT = Path(__file__).resolve().parents[2]
_MAP = nifti_bytes(np.linspace(-4, 4, 8 * 9 * 8).reshape(8, 9, 8))


def _sample(name: str) -> bytes:
    return Path(sample_folder(), name).read_bytes()


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def _open_methods(folder: Path) -> str:
    from napari_neurosynth_results.export.report.methods import (
        corrections_of,
        readable_methods,
    )
    from napari_neurosynth_results.widgets.maps.description import description_html

    results = nnr.open_results(folder, cache_dir=folder / "cache")
    readable_methods(results.methods, results.references)
    corrections_of(results.methods)
    description_html(results)
    return "read"


class _Sample:
    """The sample with its clusters, opened once for all processes."""

    def __init__(self) -> None:
        self.results = nnr.open_results(sample_folder())
        # Asked of another one, because what was found out is kept.
        again = nnr.open_results(sample_folder())
        asked = nnr.find_clusters(again["z"], p=0.001, min_voxels=50)
        nnr.contributions(again, asked)
        for statmap in self.results.maps.values():
            len(statmap.data)
        self.clusters = nnr.find_clusters(self.results["z"], p=0.001, min_voxels=50)

    def open_tables(self, folder: Path) -> str:
        from napari_neurosynth_results.maps.results import ResultSet
        from napari_neurosynth_results.sources.files.folder import list_tables

        broken = ResultSet([], title="", source="", tables=list_tables(str(folder)))
        self.results.tables = broken.tables
        nnr.contributions(self.results, self.clusters)
        list(broken.tables.values())
        return "read"

    def open_studies(self, folder: Path) -> str:
        path = folder / sorted(one.name for one in folder.iterdir())[-1]
        studies = nnr.open_studies(path)
        len(studies.foci)
        return "read"

    def open_studyset(self, folder: Path) -> str:
        from napari_neurosynth_results.sources.studies.study_files import (
            annotation_columns,
        )

        path = folder / "studyset.json"
        annotation_columns(path)
        with_all = self.open_studies(folder)
        len(nnr.open_studies(path, include="included").foci)
        return with_all


def _open_names(folder: Path) -> str:
    from napari_neurosynth_results.sources.atlases.label_names import (
        find_names,
        read_names,
    )

    [path] = [one for one in folder.iterdir() if not one.name.endswith(".nii.gz")]
    find_names(str(folder / "z.nii.gz"))
    return "read" if read_names(str(path)) else "nothing"


def _open_workspace(folder: Path) -> str:
    from napari_neurosynth_results.export.workspace.file import read_workspace

    [path] = folder.iterdir()
    read_workspace(str(path))
    return "read"


class _Batch:
    """A batch of two small results that was done, to be gone on with."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.sources = []
        for name in ("a", "b"):
            source = Path(self.folder.name, name)
            source.mkdir()
            (source / "z.nii.gz").write_bytes(_MAP)
            self.sources.append(str(source))
        out = Path(self.folder.name, "out")
        nnr.run_batch(self.sources, out, p=0.01, workers=0)
        self.seed = {
            str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.is_file()
        }

    def open(self, folder: Path) -> str:
        summary = nnr.run_batch(self.sources, folder, p=0.01, workers=0)
        assert len(summary.records) == 2
        str(summary), summary.failed, summary.clusters
        return "read"


def _open_list(folder: Path) -> str:
    from napari_neurosynth_results.batch.inputs import list_sources, read_list
    from napari_neurosynth_results.sources.web.servers import Servers

    [path] = folder.iterdir()
    return "read" if list_sources(read_list([str(path)]), Servers()) else "nothing"


def _open_settings(folder: Path) -> str:
    """Take a text for what a user set and pasted: addresses, folders, links, places."""
    from napari_neurosynth_results.anatomy.coordinates import read_triple
    from napari_neurosynth_results.sources.online.links import parse_address
    from napari_neurosynth_results.sources.web.cache import Cache
    from napari_neurosynth_results.sources.web.servers import Servers

    [path] = folder.iterdir()
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    pairs = [line.partition("=")[::2] for line in text.splitlines()[:50]]
    servers = Servers.from_environment({name.strip(): value for name, value in pairs})
    Cache(servers.cache_dir, servers.cache_bytes).entries()
    for _, value in pairs:
        for read in (parse_address, read_triple):
            try:
                read(value)
            except nnr.ResultsError as error:
                check_causes(error)
    return "read"


class _Online:
    """NeuroVault and Compose as a folder of answers: nothing is sent.

    One answer to a link is the file that was broken; all others are right.
    """

    def __init__(self) -> None:
        web = LocalServers()
        self.base, self.sites = web.neurovault, web.sites
        collection = web.add_collection(id=7)
        collection.add_image("z.nii.gz", _MAP)
        collection.add_image("p.nii.gz", _MAP)
        collection.add_atlas("a.nii.gz", _MAP, label_xml({1: "Insula"}))
        collection.add_nidm_pack("pain.nidm", {"ZStatistic.nii.gz": _MAP})
        table = _sample(
            "z_desc-mass_level-cluster_corr-FWE_method-montecarlo_diag-Jackknife"
            "_tab-counts_tail-positive.tsv"
        ).decode()
        metas = [
            web.add_meta_analysis(collection, shape=shape, diagnostic_table=table)
            for shape in ("2026", "2024", "2023")
        ]
        self.links = {
            "collection": f"{self.base}/collections/7/",
            "image": f"{self.base}/images/7001/",
            **{
                f"meta{n}": f"{web.compose}/meta-analyses/{meta}"
                for n, meta in enumerate(metas)
            },
            "project": f"{web.compose}/projects/{metas[0].project_id}",
        }

    def seeds(self, *names: str) -> list[Seed]:
        """Return every answer that opening some links asks for."""
        found: list[Seed] = []
        for name in names:
            asked: dict[str, bytes] = {}
            self._go(name, "", b"", asked)
            found += [
                {f"{name}.url": path.encode(), "answer": b} for path, b in asked.items()
            ]
        return found

    def open(self, folder: Path) -> str:
        [link] = folder.glob("*.url")
        self._go(link.stem, link.read_text(), (folder / "answer").read_bytes(), {})
        return "read"

    def _go(self, name: str, path: str, body: bytes, asked: dict[str, bytes]) -> None:
        from napari_neurosynth_results.job import Job
        from napari_neurosynth_results.sources.online.compose import open_compose
        from napari_neurosynth_results.sources.online.links import parse_address
        from napari_neurosynth_results.sources.online.neurovault import open_neurovault
        from napari_neurosynth_results.sources.online.store import Store
        from napari_neurosynth_results.sources.web.servers import Servers

        with tempfile.TemporaryDirectory() as cache:
            servers = Servers(
                self.base,
                f"{self.base}/compose",
                f"{self.base}/neurostore",
                cache_dir=Path(cache),
            )
            store = Store(servers)
            answers = _Answers(self.sites, path, body, asked)
            vars(store.web).update(get_json=answers.get_json)
            address = parse_address(self.links[name], online=servers)
            way = open_neurovault if name in ("collection", "image") else open_compose
            results = way(address, store, Job(), LIMIT)
            str(results), results.about, results.methods
            list(results.tables.values())
            studies = results.studies
            if studies is not None:
                len(studies.foci)


@dataclass
class _Answers:
    """Answers of the local servers, without any connection."""

    sites: Any
    path: str
    body: bytes
    asked: dict[str, bytes]

    def get_json(self, url: str, *, what: str, **options: Any) -> Any:
        from napari_neurosynth_results.sources.web.request import ResponseHead
        from napari_neurosynth_results.sources.web.responses import (
            AttemptError,
            WebResponse,
            parse_json_body,
            status_error,
        )

        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self.sites.answer(path, {})
        head = ResponseHead(answer.status, {})
        if answer.status != 200:
            raise status_error(head, what, "a server").error
        body = self.body if path == self.path else answer.body
        self.asked[path] = answer.body
        try:
            response = WebResponse(head, iter([body]), what, "a server", None)
            return parse_json_body(body, response)
        except AttemptError as error:
            raise error.error from error


def _open_cached(folder: Path) -> str:
    from napari_neurosynth_results.sources.web.cache import Cache, CacheKey

    cache = Cache(folder, 1 << 30)
    kept = cache.get_document("a name")
    cache.entries()
    key = CacheKey("https://neurovault.org", "image-1", "z.nii.gz", "", len(_MAP))
    path = cache.file(key, lambda path: path.write_bytes(_MAP), lambda path: None)
    assert path.read_bytes() == _MAP, "another map out of the cache"
    return "read" if kept is not None else "asked again"


def _cached() -> Seed:
    from napari_neurosynth_results.sources.web.cache import Cache, CacheKey

    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder), 1 << 30)
        cache.put_document("a name", {"id": 7, "name": "A collection", "list": [1, {}]})
        key = CacheKey("https://neurovault.org", "image-1", "z.nii.gz", "", len(_MAP))
        cache.file(key, lambda path: path.write_bytes(_MAP), lambda path: None)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }


def _open_folder(folder: Path) -> str:
    results = nnr.open_results(folder, cache_dir=folder / "cache")
    str(results), results.about, [m.title for m in results.maps.values()]
    return "read"


def _nilearn() -> Seed:
    image = {
        "id": 1,
        "name": "img",
        "file": "http://neurovault.org/media/images/7/z.nii.gz",
        "map_type": "Z map",
        "image_type": "statistic_map",
        "collection_id": 7,
    }
    collection = {"id": 7, "name": "A collection", "authors": "Doe", "DOI": None}
    return {
        "collection_7/collection_metadata.json": _json(collection),
        "collection_7/image_1_metadata.json": _json(image),
        "collection_7/image_1.nii.gz": _MAP,
        "collection_7/image_2_metadata.json": _json(image | {"id": 2, "name": "b"}),
        "collection_7/image_2.nii.gz": _MAP,
    }


_SLEUTH = b"""// Reference=MNI
// Doe J, 2005: pain > rest
// Subjects=12
-32 -28 8
-32\t-20\t8

// Roe A, 2006: heat > warm
// Subjects=20
40,5 -3 12
"""
_LABELS = {
    "csv": b'index,name,hemisphere\n1,Insula,L\n2,"Frontal, pole",R\n3,Amygdala,\n',
    "tsv": b"index\tname\n1\tInsula L\n2\tFrontal pole R\n3\tAmygdala\n",
    "txt": b"0 Unknown 0 0 0 0\n1 L-Insula 70 130 180 0\n2 R-Insula 0 118 14 0\n",
    "lut": b'1 0.1 0.2 0.3 Insula\n2 0.4 0.5 0.6 Pole\n# "x"\n',
    "json": b'{"1": "Insula", "2": {"name": "Pole", "hemisphere": "L"}}',
    "niml.lt": b'<VALUE_LABEL_DTABLE ni_type="2*String">\n"1" "Insula"\n"2" "P"\n</V>',
    "xml": label_xml({0: "Insula", 1: "Frontal pole"}),
}
_SETTINGS = b"""NNR_NEUROVAULT_URL=https://neurovault.org/api/
NNR_COMPOSE_URL=http://localhost:8000
NNR_CACHE_DIR=~/cache
NNR_OFFLINE=yes
link=https://neurovault.org/collections/1425/
private=https://neurovault.org/collections/ABCDEFGH/z_1.nii.gz
meta=https://compose.neurosynth.org/projects/DXffgHVJ8D2p/meta-analyses/ataCTPAt2LMw
place=-32.5, 20; 8 mm (Talairach)
"""


def text_formats() -> dict[str, Format]:
    """Return the formats of texts, by name."""
    sample, batch, online = _Sample(), _Batch(), _Online()
    methods = {
        "z.nii.gz": _MAP,
        "boilerplate.txt": _sample("boilerplate.txt"),
        "references.bib": _sample("references.bib"),
    }
    tables = {
        path.name: path.read_bytes() for path in Path(sample_folder()).glob("*.tsv")
    }
    studyset = json.loads(_sample("studyset.json"))
    studyset["studies"] = studyset["studies"][:4]
    notes = [
        {"analysis": one["id"], "study": study["id"], "note": {"included": True}}
        for study in studyset["studies"]
        for one in study["analyses"]
    ]
    annotated = studyset | {"annotations": [{"id": "a", "notes": notes}]}
    coords = {"x": [1, "2"], "y": [3.5, 4], "z": [5, None], "space": "TAL"}
    contrast = {"coords": coords, "metadata": {"sample_sizes": [12]}}
    dataset = {"doe2005": {"contrasts": {"1": contrast}, "metadata": {"year": 2005}}}
    workspace = _ROOT.joinpath("docs", "workspace.md").read_text().split("```json\n")[1]
    labels = {
        f"labels.{ending}": Format(
            [{"z.nii.gz": _MAP, f"z.{ending}": data}],
            (f"z.{ending}",),
            _open_names,
            text=True,
        )
        for ending, data in _LABELS.items()
    }
    parts = {
        "boilerplate": Format(
            [methods], ("boilerplate.txt",), _open_methods, text=True
        ),
        "bibtex": Format([methods], ("references.bib",), _open_methods, text=True),
        "table": Format([tables], (), sample.open_tables, text=True),
        "nimads": Format(
            [
                {"studyset.json": _json(annotated)},
                {
                    "studyset.json": _json(studyset),
                    "annotation.json": _json({"id": "a", "notes": notes}),
                },
            ],
            (),
            sample.open_studyset,
            text=True,
        ),
        "nimare-dataset": Format(
            [{"d.json": _json(dataset)}], (), sample.open_studies, text=True
        ),
        "sleuth": Format([{"s.txt": _SLEUTH}], (), sample.open_studies, text=True),
        "neurovault-json": Format(
            online.seeds("collection", "image"), ("answer",), online.open, text=True
        ),
        "compose-json": Format(
            online.seeds("meta0", "meta1", "meta2", "project"),
            ("answer",),
            online.open,
            text=True,
        ),
        "workspace": Format(
            [{"a.nnr.json": workspace.split("```")[0].encode()}],
            (),
            _open_workspace,
            text=True,
        ),
        "batch": Format([batch.seed], (), batch.open, text=True),
        "batch-list": Format(
            [
                {
                    "l.txt": b"# maps\n/data/a\n~/b.zip\nhttps://neurovault.org/collections/7/"
                }
            ],
            (),
            _open_list,
            text=True,
        ),
        "settings": Format([{"s.txt": _SETTINGS}], (), _open_settings, text=True),
        "cache": Format([_cached()], (), _open_cached, text=True),
        "nilearn-json": Format([_nilearn()], (".json",), _open_folder, text=True),
    }
    return parts | labels
