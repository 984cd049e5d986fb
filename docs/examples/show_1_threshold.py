"""
From an unthresholded map to a table
====================================

NiMARE writes unthresholded maps. Here the z map of an ALE is cut at p <= .001, and what
survives is named, listed and drawn.
"""

import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder

results = nnr.open_results(sample_folder())  # or a link to Neurosynth Compose
for statmap in results.maps.values():
    print(statmap.title)

# %%
# The tail is the map's own: an ALE tests for convergence alone, so that p <= .001 is
# z >= 3.09.
clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
print(clusters)

# %%
# One row a cluster, named by the region of its peak.
clusters.table

# %%
# The share of each region in the largest cluster.
clusters.regions[clusters.regions["label"] == 1]

# %%
# Three planes through the strongest peak.
nnr.save_figure(clusters, "planes.png", kind="ortho")

# %%
# The same as a glass brain, for a white page.
nnr.save_figure(clusters, "glass.png", kind="glass", background="white")
