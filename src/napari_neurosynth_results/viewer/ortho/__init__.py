"""Three planes drawn without a graphics card: slices, colors, blending, no Qt.

napari has no orthogonal views, so they have to be made. Three more canvases of napari
were weighed against drawing the slices with numpy, which is what this does:

* A second canvas needs a second model with a copy of every layer, kept the same by
  callbacks for each property; here the layers themselves are read whenever the picture
  is drawn, so there is nothing that could differ or be forgotten.
* Each canvas holds OpenGL textures of every layer. With three layers under software
  OpenGL, three canvases doubled the time of a step (465 ms against 203 ms with these
  planes on a busy machine with two cores), took 117 MB against 1 MB, and 4 s to open.
  A slice of 2 mm is ten thousand voxels, which numpy colors and blends in a few
  milliseconds (``benchmarks/ortho.py``).
* Which way is left is decided in one place, `anatomy.planes`, and tested by pixels.

The price is that napari's colors have to be reproduced; tests compare them with a
screenshot of its canvas. Volumes and points are drawn. Other kinds of layers are named.
"""
