"""Which voxels touch, by runs: voxels that follow one another along x.

Only voxels above the threshold are looked at, and only pairs of runs are joined, so
that the cost grows with the clusters and not with the volume around them.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
#: A step, or a size, along z, y and x.
Step = tuple[int, int, int]

#: Rows along x that come before a row and touch it, as steps along z and y.
_BY_FACE = [(-1, 0), (0, -1)]
_BY_EDGE = [(-1, -1), (-1, 1)]


def components(
    at: Ints, part: npt.NDArray[np.unsignedinteger], shape: Step, connectivity: int
) -> Ints:
    """Find the clusters of voxels that touch and are of one part.

    Parameters
    ----------
    at : ndarray of int, shape (n,)
        Positions of the voxels in a flat box, ascending; none is on the box's faces.
    part : ndarray of uint8 or uint16, shape (n,)
        Their parts, from 1.
    shape : tuple of int
        Of the box, along z, y and x.
    connectivity : {6, 18, 26}
        Which neighbors touch.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of each voxel's cluster, from 1, in the order of their first voxels.
    """
    new = np.ones(at.size, bool)
    np.not_equal(at[1:] - at[:-1], 1, out=new[1:])
    new[1:] |= part[1:] != part[:-1]
    run = np.cumsum(new, dtype=np.int32)
    one, other = _touching(at, part, run, new, shape, connectivity)
    # 0 is no run, and joined with nothing.
    return joined(int(run[-1]) + 1, one, other).take(run)


def _touching(
    at: Ints,
    part: npt.NDArray[np.unsignedinteger],
    run: npt.NDArray[np.int32],
    new: npt.NDArray[np.bool_],
    shape: Step,
    connectivity: int,
) -> tuple[Ints, Ints]:
    """Find pairs of runs that touch; some more than once."""
    box = np.zeros(prod(shape), np.int32)
    box[at] = run
    first = new.nonzero()[0]
    last = np.append(first[1:], at.size) - 1
    parts = np.append(part.dtype.type(0), part.take(first))
    mixed = bool(part.max() != part.min())

    def runs_at(which: Ints | slice, offset: int) -> npt.NDArray[np.int32]:
        """Find the runs of the same part at an offset from voxels, 0 for none."""
        there = box.take(at[which] + offset)
        if mixed:
            there *= parts.take(there) == part[which]
        return there

    ones, others = [], []
    for z, y in _BY_FACE if connectivity == 6 else _BY_FACE + _BY_EDGE:
        offset = (z * shape[1] + y) * shape[2]
        there = runs_at(slice(None), offset)
        # Voxel after voxel of the same two runs tells nothing new.
        fresh = there > 0
        fresh[1:] &= new[1:] | (there[1:] != there[:-1])
        which = fresh.nonzero()[0]
        ones.append(run.take(which))
        others.append(there.take(which))
        if connectivity == 26 or (connectivity == 18 and 0 in (z, y)):
            # Diagonally along x only what lies beyond a run's ends is still unknown.
            for ends, x in ((first, -1), (last, 1)):
                alone = ends[there.take(ends) == 0]
                beyond = runs_at(alone, offset + x)
                which = beyond.nonzero()[0]
                ones.append(run.take(alone[which]))
                others.append(beyond.take(which))
    return np.concatenate(ones), np.concatenate(others)


def joined(n: int, one: Ints, other: Ints) -> Ints:
    """Find groups of things that are joined, directly or through others.

    Parameters
    ----------
    n : int
        How many things there are.
    one, other : ndarray of int
        Pairs that are joined; nothing is joined with itself.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of each thing's group, from 0, in the order of their first things.

    Examples
    --------
    >>> joined(5, np.array([0, 4]), np.array([3, 3])).tolist()
    [0, 1, 2, 0, 0]
    """
    group: Ints = np.arange(n)
    if not one.size:
        return group
    # Each thing follows one that comes before it, if any, ...
    group[np.maximum(one, other)] = np.minimum(one, other)
    # ... and whatever that one follows in turn.
    while not ((further := group.take(group)) == group).all():
        group = further
    leads = group == np.arange(n)
    group = (np.cumsum(leads) - 1).take(group)
    # The same with groups for things, until all that are joined are one.
    one, other = group.take(one), group.take(other)
    apart = (one != other).nonzero()[0]
    n_groups = int(np.count_nonzero(leads))
    return joined(n_groups, one.take(apart), other.take(apart)).take(group)
