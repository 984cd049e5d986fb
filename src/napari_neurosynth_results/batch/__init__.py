"""Many results in one go: the same question to each, one table of all answers."""

from napari_neurosynth_results.batch.inputs import read_list
from napari_neurosynth_results.batch.run import BatchSummary, run_batch

__all__ = ("BatchSummary", "read_list", "run_batch")
