"""Moving the slider leaves nothing behind; scripts/safety/memory_drill.py does more."""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import Any

import psutil
import pytest

from helpers.threshold_form import let_go
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

_PER_ROUND = 12


def held() -> dict[str, int]:
    """Count what this process holds."""
    gc.collect()
    files = psutil.Process().num_fds() if os.name == "posix" else 0
    return {
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "threads": threading.active_count(),
        "files": files,
    }


@pytest.mark.slow
def test_steps_of_the_slider_leave_nothing_behind(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    add_maps(viewer, [sample["z"]])
    widget = ThresholdWidget(viewer)
    found, counts = set(), []
    for way in (1, -1, 1, -1, 1):
        for _ in range(_PER_ROUND):
            widget.form.slider.value += 12 * way
            let_go()
            found.add(int(widget.clusters.labels.astype(bool).sum()))
        counts.append(held())
    assert len(found) >= _PER_ROUND
    # At both ends of the way, once what is kept of each step is there.
    for first, last in ((counts[1], counts[3]), (counts[2], counts[4])):
        more = {what: last[what] - first[what] for what in last}
        # A step makes some thousand objects, of which what was tried is kept.
        assert more["blocks"] < 500
        assert more["objects"] < 50
        assert more["threads"] <= 0
        assert more["files"] <= 0
    widget.close()
