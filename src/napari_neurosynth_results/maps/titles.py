"""Plain-words titles for maps: what a user reads in the layer list."""

from __future__ import annotations

from collections.abc import Sequence

from napari_neurosynth_results.maps.kinds import VALUE_KINDS, MapKind
from napari_neurosynth_results.maps.names import MapName

_VALUE_WORDS = {
    "logp": "-log10 p",
    "chiSquare": "chi2",
    "prob": "probability",
    "stat": "statistic",
    "est": "estimate",
    "se": "standard error",
    "tau2": "variance between studies (tau2)",
    "sigma2": "variance within studies (sigma2)",
    "dof": "degrees of freedom",
    "label": "cluster labels",
    "ale": "ALE value",
    "of": "OF value",
    "spatialIntensity": "spatial intensity",
}
_CONTRAST_WORDS = {
    "group1": "group 1",
    "group2": "group 2",
    "group1MinusGroup2": "group 1 - group 2",
    "balancedGroup1MinusGroup2": "balanced group 1 - group 2",
    "A": "P(A)",
    "AgF": "P(A|F)",
    "FgA": "P(F|A)",
    "AgU": "P(A|U)",
    "AgF_prior": "P(A|F) with prior",
    "FgA_prior": "P(F|A) with prior",
}
_METHOD_WORDS = {
    "montecarlo": "Monte Carlo",
    "bonferroni": "Bonferroni",
    "indep": "Benjamini-Hochberg",
    "negcorr": "Benjamini-Yekutieli",
}
_TESTED = {MapKind.Z, MapKind.T, MapKind.P, MapKind.LOGP, MapKind.CHI2}
_SAID = {"desc", "level", "corr", "method", "tail"}


def title_of(name: MapName) -> str:
    """Say in words what a map is.

    >>> from napari_neurosynth_results.maps.names import parse_name
    >>> title_of(parse_name("z_desc-mass_level-cluster_corr-FWE_method-montecarlo"))
    'z, cluster-level FWE (mass, Monte Carlo)'
    >>> title_of(parse_name("p_desc-association"))
    'p, association, uncorrected'
    """
    parts = [_VALUE_WORDS.get(name.value, name.value)]
    if name.contrast:
        parts.append(_CONTRAST_WORDS.get(name.contrast, name.contrast))
    if name.correction:
        level = f"{name.level}-level " if name.level else ""
        method = _METHOD_WORDS.get(name.method or "", name.method)
        how = ", ".join(word for word in (name.cluster_statistic, method) if word)
        parts.append(f"{level}{name.correction}" + (f" ({how})" if how else ""))
    elif VALUE_KINDS[name.value] in _TESTED:
        parts.append("uncorrected")
    if tail := name.get("tail"):
        parts.append(f"{tail} tail")
    parts += [f"{key} {label}" for key, label in name.entities if key not in _SAID]
    return ", ".join(parts)


def unique_titles(names: Sequence[tuple[str, MapName | None]]) -> list[str]:
    """Title every map of a set, no two alike.

    Parameters
    ----------
    names : sequence of (str, MapName or None)
        File stem and parsed name of each map; without a parsed name the stem is the
        title.

    Returns
    -------
    list of str
        One title a map. The run (prefix) is said where the set holds several.
    """
    several_runs = len({name.run for _, name in names if name}) > 1
    titles = []
    for stem, name in names:
        if name is None:
            titles.append(stem)
            continue
        run = " ".join(part for part in name.run if part) if several_runs else ""
        titles.append(f"{run}: {title_of(name)}" if run else title_of(name))
    return [
        f"{title} [{stem}]" if titles.count(title) > 1 and title != stem else title
        for title, (stem, _) in zip(titles, names, strict=True)
    ]
