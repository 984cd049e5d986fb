"""
Two maps compared
=================

The same ALE map, uncorrected at p <= .001 and corrected at the level of voxels: which
voxels survive in one, in the other, in both.
"""

import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder

results = nnr.open_results(sample_folder())
corrected = next(
    statmap
    for key, statmap in results.maps.items()
    if key.startswith("z_level-voxel_corr-FWE")
)
compared = nnr.compare_maps(results["z"], corrected, threshold_a={"p": 0.001})
print(compared)

# %%
# Overlap in numbers; further down in the table, the same by sign.
compared.table.head(14)

# %%
# And where.
nnr.save_figure(compared, "compared.png")
