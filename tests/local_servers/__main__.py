"""Serve the sample on this machine, for trying things by hand."""

from __future__ import annotations

import argparse
import threading
from contextlib import suppress
from pathlib import Path

import napari_neurosynth_results
from local_servers.server import LocalServers

_SAMPLE = Path(napari_neurosynth_results.__file__).parent / "sample/pain-ale"
_Z, _P = "Z map", "P map (given null hypothesis)"


def fill(web: LocalServers) -> dict[str, str]:
    """Put the sample on the server; return what there is, by its address."""
    shown = web.add_collection("Pain, ALE : 2026-02-18 13:38:48", owner_name="compose")
    hidden = web.add_collection("Not yet published", private=True)
    # Compose takes the type from the first letter, as the real one does.
    types = {"z": _Z, "p": _P, "s": "univariate-beta map"}
    for path in sorted(_SAMPLE.glob("*.nii.gz")):
        if path.name.startswith("label_"):
            continue
        kind = types.get(path.name[0], "other")
        for collection in (shown, hidden):
            collection.add_image(path.name, path.read_bytes(), map_type=kind)
    table = next(_SAMPLE.glob("*FocusCounter*.tsv")).read_text(encoding="utf-8")
    meta = web.add_meta_analysis(shown, diagnostic_table=table, n_results=2)
    return {
        f"{web.neurovault}/collections/{shown.id}/": "a collection",
        f"{web.neurovault}/collections/{hidden.token}/": "a private one",
        f"{web.neurovault}/collections/{shown.id}/download": "a zip",
        f"{web.compose}/projects/{meta.project_id}/meta-analyses/{meta}": "a result",
    }


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m local_servers", description=__doc__
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds per answer")
    chosen = parser.parse_args(arguments)
    with LocalServers(chosen.latency, port=chosen.port) as web:
        there = fill(web)
        for name in ("neurovault", "compose", "neurostore"):
            print(f"export NNR_{name.upper()}_URL={getattr(web, name)}")
        for address, what in there.items():
            print(f"# {what}: {address}")
        print("# Ctrl+C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
