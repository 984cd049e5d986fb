"""Numbers as papers write them: no zero before the point of p, true minus signs."""

from __future__ import annotations

import math

from napari_neurosynth_results.maps.kinds import MapKind

_MINUS = "−"  # noqa: RUF001
#: Smaller p are not told apart in papers.
_LEAST_P = 0.001
#: How far float32 may carry p from one in so many iterations.
_GRAIN = 1e-3
_TWO_DECIMALS = frozenset({MapKind.Z, MapKind.T, MapKind.CHI2, MapKind.F, MapKind.LOGP})


def written_p(p: float, iterations: int | None = None) -> str:
    """Write a p with its relation.

    Parameters
    ----------
    p : float
        NaN where it is not known.
    iterations : int, optional
        Of a Monte Carlo test: it knows nothing below one in so many.

    Returns
    -------
    str
        Empty for NaN.

    Examples
    --------
    >>> written_p(0.012), written_p(2e-5), written_p(0.9999), written_p(0.005, 200)
    ('= .012', '< .001', '> .999', '≤ .005')
    """
    if math.isnan(p):
        return ""
    at_grain = iterations is not None and abs(p * iterations - 1) < _GRAIN
    if at_grain and p > _LEAST_P * (1 - _GRAIN):
        return f"≤ {_decimals(p)}"
    if p < _LEAST_P:
        return "< .001"
    if p > 1 - _LEAST_P:
        return "> .999"
    return f"= {_decimals(p)}"


def _decimals(p: float) -> str:
    return f"{p:.3f}".removeprefix("0")


def written_value(value: float, kind: MapKind) -> str:
    """Write the statistic at a peak.

    >>> written_value(3.456, MapKind.Z), written_value(0.012345, MapKind.STAT)
    ('3.46', '0.0123')
    """
    if math.isnan(value):
        return ""
    if kind in {MapKind.P, MapKind.ONE_MINUS_P}:
        text = f"{value:.3g}"
    else:
        text = f"{value:.2f}" if kind in _TWO_DECIMALS else f"{value:.3g}"
    return text.replace("-", _MINUS)


def written_mm(mm: float) -> str:
    """Write a coordinate, without decimals where it has none.

    >>> written_mm(42.0), written_mm(2.5), written_mm(-0.0)
    ('42', '2.5', '0')
    """
    return f"{round(mm, 1) + 0.0:g}".replace("-", _MINUS)


def written_count(count: float) -> str:
    """Write a number of voxels or mm3.

    >>> written_count(12345), written_count(12.5)
    ('12,345', '12.5')
    """
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"


def typeset(sentence: str) -> str:
    """Write relations and units of a sentence about a threshold as papers do.

    >>> typeset("z >= 3.09 (p <= .001), extent >= 10 voxels (80 mm3)")
    'z ≥ 3.09 (p ≤ .001), extent ≥ 10 voxels (80 mm³)'
    """
    for written, sign in ((">=", "≥"), ("<=", "≤"), (" mm3", " mm³"), (" cm3", " cm³")):
        sentence = sentence.replace(written, sign)
    return sentence
