"""How many are behind a cluster, and whether it hangs on one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.maps.studies import Experiments

#: An ALE of fewer experiments may be driven by single ones (Eickhoff et al. 2016,
#: NeuroImage 137, 70-85).
FEW_EXPERIMENTS = 17
#: One experiment dominates a cluster when it has more than this of it.
_MOST = 0.5

ONE = "one experiment only"
DOMINATED = "one experiment has more than half"
NOBODY = "no experiment"
SMALL = f"fewer than {FEW_EXPERIMENTS} experiments in all"


def robustness_of(
    table: pd.DataFrame, experiments: Experiments | None = None
) -> pd.DataFrame:
    """Say of each cluster how many experiments and people are behind it.

    Parameters
    ----------
    table : pandas.DataFrame
        Experiments by clusters: foci or shares, from `contributions`.
    experiments : Experiments, optional
        Knows the sample sizes.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: ``experiments`` that contribute, ``of`` how many,
        ``participants`` in them (NaN when no sample size is known), the ``dominant``
        experiment and its share of all (``dominant_percent``), and ``cautions`` in
        words, empty when nothing asks for any. Clusters that nothing was counted for
        have NaN and no cautions.
    """
    import pandas as pd

    people = [_participants(experiments, str(name)) for name in table.index]
    rows = [
        _row(table[cluster].to_numpy(dtype=np.float64), table.index, people)
        for cluster in table.columns
    ]
    columns = ["experiments", "of", "participants", "dominant", "dominant_percent"]
    index = pd.Index(table.columns, name="cluster")
    found = pd.DataFrame(rows, index=index, columns=[*columns, "cautions"])
    return found.astype({"experiments": "Int64", "of": "Int64"})


def _participants(experiments: Experiments | None, name: str) -> float:
    found = experiments.find(name) if experiments is not None else None
    if found is None or found.participants is None:
        return np.nan
    return float(found.participants)


def _row(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    names: pd.Index,
    people: list[float],
) -> tuple[float, int, float, str, float, str]:
    if np.isnan(values).all():
        return np.nan, len(names), np.nan, "", np.nan, ""
    # An experiment that weakens a cluster is not behind it.
    gains = np.clip(np.nan_to_num(values), 0, None)
    behind = np.flatnonzero(gains)
    known = np.array(people)[behind]
    participants = float(np.nansum(known)) if np.isfinite(known).any() else np.nan
    small = [SMALL] if len(names) < FEW_EXPERIMENTS else []
    if not behind.size:
        return 0, len(names), np.nan, "", np.nan, "; ".join([NOBODY, *small])
    first = int(gains.argmax())
    share = float(gains[first] / gains.sum())
    one = [ONE] if behind.size == 1 else [DOMINATED] if share > _MOST else []
    return (
        behind.size,
        len(names),
        participants,
        str(names[first]),
        100 * share,
        "; ".join(one + small),
    )
