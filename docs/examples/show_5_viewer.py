"""
In the viewer
=============

The sample in napari, and the panel that opens with it.
"""

import time

import imageio.v3 as iio
import napari
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.sample import sample_folder

plugin = "napari-neurosynth-results"
viewer = napari.Viewer()
viewer.window.resize(1600, 980)
viewer.open(sample_folder(), plugin=plugin)

# %%
# What a user sees, a moment later.
end = time.monotonic() + 2
while time.monotonic() < end:
    QApplication.processEvents()
viewer.reset_view()
picture = viewer.window.screenshot(canvas_only=False, flash=False)
iio.imwrite("window.png", picture)
viewer.close()
