"""
How much of a cluster is active
===============================

A significant cluster says that there is something in it, and not how much. The true
discovery proportion does, for all clusters and thresholds at once.
"""

import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder

results = nnr.open_results(sample_folder())
clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=100)
print(clusters.proven)
clusters.table[["name", "n_voxels", "tdp_percent"]]

# %%
# Of any region of the atlas, cluster or not: those of which most is active.
regions = nnr.true_discoveries(results["z"])
regions.sort_values("tdp_percent", ascending=False).head(5)

# %%
# The largest parts of the clusters of which at least 70 % is active.
parts = nnr.active_parts(clusters, 0.7)
print(parts)
parts.table[["name", "n_voxels", "true_discoveries", "p"]]

# %%
# Clusters at the threshold of the first part: it is one of them.
strict = nnr.find_clusters(results["z"], p=parts.table.p[0], min_voxels=30)
nnr.save_figure(strict, "parts.png", kind="ortho")

# %%
# In how many of 21 re-estimations, each without one experiment, a cluster stands.
found = nnr.robustness(results, clusters, leave_one_out=True)
found[["stands", "stands_of", "least_kept_percent", "least_kept_without"]]
