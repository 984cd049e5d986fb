"""The studies behind the clusters of a map, for a report."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_neurosynth_results.statistics.contributors import SHARE, Contributors

#: From nothing to most, on white: light to dark.
_RAMP = np.array([(255, 255, 255), (254, 217, 142), (217, 95, 14), (102, 37, 6)], float)
#: Darker than this, and the ink is white.
_DARK = 0.6
#: A report stays readable, and small.
_MOST_STUDIES = 300


def studies_part(behind: Contributors) -> dict[str, Any] | None:
    """Gather what a report says of the studies behind some clusters.

    Parameters
    ----------
    behind : Contributors
        What is known.

    Returns
    -------
    dict or None
        Sentences, a heat map of studies and clusters, and notes; None when nothing is
        known.
    """
    table = behind.foci if behind.foci is not None else behind.shares
    if table is None:
        return None
    values = table.to_numpy(dtype=np.float64)
    strong = np.nan_to_num(values)
    # Those behind most clusters first, as in the viewer.
    order = np.lexsort((-strong.sum(axis=1), -(strong > 0).sum(axis=1)))
    most = float(strong.max(initial=0.0))
    counted = behind.foci is not None
    rows = []
    for row in order[:_MOST_STUDIES].tolist():
        name = str(table.index[row])
        cells = [_cell(value, most, counted) for value in values[row].tolist()]
        found = behind.experiments.find(name) if behind.experiments else None
        link = found.study.link if found is not None else ""
        rows.append({"title": behind.title(name), "link": link, "cells": cells})
    what = "Foci" if counted else "Share of the statistic (jackknife)"
    left = len(order) - len(rows)
    caption = f"{what} of each study in each cluster; columns are the clusters above."
    caption += f" {left} more studies are left out." if left else ""
    notes = list(behind.notices)
    notes += [SHARE] if behind.shares is not None else []
    return {
        "sentences": _sentences(behind),
        "columns": behind.clusters.names,
        "rows": rows,
        "caption": caption,
        "notes": notes,
    }


def _sentences(behind: Contributors) -> list[dict[str, str]]:
    cautions = behind.robustness["cautions"].tolist()
    return [
        {"text": behind.sentence(label), "caution": caution}
        for label, caution in enumerate(cautions, start=1)
    ]


def _cell(value: float, most: float, counted: bool) -> dict[str, str]:
    """Color a cell by its share of the largest value."""
    if np.isnan(value):
        return {"color": "#eee", "ink": "#000", "text": ""}
    strength = min(max(value / most, 0.0), 1.0) if most > 0 else 0.0
    steps = np.linspace(0, 1, len(_RAMP))
    parts = [round(float(np.interp(strength, steps, part))) for part in _RAMP.T]
    text = ""
    if value > 0:
        text = f"{value:.0f}" if counted else f"{100 * value:.0f}%"
    return {
        "color": "#" + "".join(f"{part:02x}" for part in parts),
        "ink": "#fff" if strength > _DARK else "#000",
        "text": text,
    }
