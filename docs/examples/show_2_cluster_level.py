"""
A cluster-level corrected map
=============================

In a map of cluster-level FWE correction each cluster carries one value, significant or
not. There is nothing to cut at a height: each cluster has its own corrected p.
"""

import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder

results = nnr.open_results(sample_folder())
corrected = results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
clusters = nnr.find_clusters(corrected)
print(corrected.title)
print(clusters)

# %%
# Clusters that are not significant stay in the table, and are called so.
clusters.table

# %%
# A lightbox of slices.
nnr.save_figure(clusters, "lightbox.png", background="white")

# %%
# A second height on top means nothing, and is refused.
try:
    nnr.find_clusters(corrected, value=3.09)
except nnr.ResultsError as error:
    print(error)
