"""
Who is behind a cluster
=======================

Studies and foci of each cluster, joined by place. NiMARE numbers the rows of its tables
in another order than its label map, so that joining by number names the wrong studies.
"""

import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder

results = nnr.open_results(sample_folder())
clusters = nnr.find_clusters(
    results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
)
behind = nnr.contributors(results, clusters)
for notice in behind.notices:
    print(notice)

# %%
# Those behind the first cluster.
behind.of(1)

# %%
# How much each cluster depends on single experiments.
nnr.robustness(results, clusters)
