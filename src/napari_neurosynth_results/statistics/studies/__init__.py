"""Studies: which foci and experiments are behind a cluster."""

#: What `LeaveOneOut` tells. Tables have it at their heads before anything is told.
ABOUT_SURVIVAL = (
    "Stands in: how often the cluster is found again when the meta-analysis is "
    "estimated without one experiment, each in turn, with a null distribution of its "
    "own: a cluster of at least the same extent at the same height overlaps it. What "
    "is left: the share of its voxels that is then in such clusters. It tells on which "
    "experiments the cluster hangs. It is no test, and controls no error rate; a "
    "correction is not made anew."
)
