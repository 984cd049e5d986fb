"""NiMARE's file names, both ways: text -> `MapName` -> the same text; and in words.

The grammar is ``[<prefix>_]<value>[_<key>-<label>...][_<server suffix>]<extension>``.
Entities are kept in the order found, unknown ones too, so that a name always survives
the round trip. Source: NiMARE 0.22.1 (`nimare.results`, `nimare.correct`,
`nimare.diagnostics`) and the files it and older releases wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from napari_neurosynth_results.maps.kinds import VALUE_KINDS, MapKind

#: Longest first, so that ``.nii.gz`` wins over ``.gz``.
EXTENSIONS = (".nii.gz", ".nii", ".hdr", ".img", ".mgz", ".mgh", ".tsv")

_ENTITY = re.compile(r"^([A-Za-z][A-Za-z0-9]*)-(.*)$", re.S)
# NiMARE's own fetcher of NeuroVault images writes these two in front of each name.
_DOWNLOAD = re.compile(r"^(collection-[^_]+_id-[^_]+)_(?=.)", re.S)
# Server storage makes a taken name unique with a counter or seven random characters.
_COUNTER = re.compile(r"^\d{1,4}$")
_RANDOM = re.compile(r"^(?=.*(?:\d|[a-z].*[A-Z]))[A-Za-z0-9]{7}$")
# What no program's own word does, and most of the random ones do: mix all three.
_SURELY_RANDOM = re.compile(r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9]{7}$")
#: What others write for a correction, and for none.
_CORRECTIONS = {"fwe": "FWE", "fwer": "FWE", "fdr": "FDR"}
_CORRECTIONS |= dict.fromkeys(("none", "unc", "uncorr", "uncorrected"), "")
_CLUSTER_STATISTIC = re.compile(r"^(.*?)(mass|size)$", re.I)
# Right before a value these make it another: log_p, one_minus_p, vox_p, thresh_z.
_CHANGES = re.compile(
    r"(?:^|_)-?(?:log_?(?:10|2)?|ln|neg(?:ative)?|(?:1|one)?minus|nl|1-"
    r"|inv(?:erse|erted)?|corr(?:p|ected)?|fwer?|fdr|vox|tfce|cluster[emn]?|max|min"
    r"|thr(?:esh(?:olded)?)?|masked|mask|vthresh)$",
    re.I,
)
#: MKDAChi2's, in new and old releases.
_CHI_SQUARE_CONTRASTS = frozenset(
    {
        *("association", "uniformity", "specificity", "consistency"),
        *("group1", "group2"),
    }
)
_PER_CLUSTER = frozenset({"level", "corr", "method"})
#: What other programs call a value or a correction of a test, in the words of a name.
_OF_VALUES = re.compile(
    r"^(?:-?log_?p?|ln|neg|one|minus|nl|[ztfp]|[ztf]?stat|[zt]fstat|ztstat|pstat|lp|sig"
    r"|spm[tfp]|snpm[tf]|con|ess|t?cope|varcope|log-?p|neglogp|value|val|pval(?:ue)?"
    r"|score|scr|zscr|coef|map|[ztfp]map|statmap|stat-[a-z]+|effect|variance|size|mass"
    r"|max|logp|corrp?|corrected|uncp|uncorrected|unc|fwep?|fdrp?|p?fwe|p?fdr|fdr[zq]"
    r"|1mpvalue|vox|voxel|tfce|tfcecorrected|cluster[emn]?|clustermask|clust|thr"
    r"|thresh(?:old(?:ed)?)?|vthresh|masked|rendered|filtered|ale|[ztf]statistic"
    r"|clusterlabels|excursionset)(\d*)[+-]?$",
    re.I,
)
_LEVEL = re.compile(r"^p|^f(?:we|dr)", re.I)
#: A threshold in a name: ``p001``, ``C05``, ``k20``, ``1k``, ``0.01``.
_THRESHOLD = re.compile(r"^(?:p?n?|c0|k|k?ext)0?[.\d]*\d$|^\d+k$|^\d*\.\d+$", re.I)


@dataclass(frozen=True)
class MapName:
    """The parts of one file name; ``str()`` gives the file name back.

    Attributes
    ----------
    value : str
        The entity before the first label: ``z``, ``p``, ``logp``, ``stat``, ...
    entities : tuple of (str, str)
        ``("desc", "mass"), ("level", "cluster"), ...`` in the order found.
    prefix : str
        What stands before the value, without the joining underscore.
    suffix : str
        What a server added to make the name unique, without the underscore.
    extension : str
        ``.nii.gz``, ``.tsv``, ... as written.
    download : str
        ``collection-<id>_id-<id>`` of NiMARE's flat NeuroVault downloads.
    """

    value: str
    entities: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    suffix: str = ""
    extension: str = ""
    download: str = ""

    def __str__(self) -> str:
        """File name with its extension."""
        return self.stem + self.extension

    @property
    def stem(self) -> str:
        """File name without its extension: the key of a map in its result set."""
        parts = [self.download, self.prefix, self.value]
        parts += [f"{key}-{label}" for key, label in self.entities]
        parts.append(self.suffix)
        return "_".join(part for part in parts if part)

    def get(self, key: str) -> str | None:
        """Label of an entity, or None when the name does not carry it."""
        return next((label for k, label in self.entities if k == key), None)

    @cached_property
    def correction(self) -> str | None:
        """``"FWE"``, ``"FDR"`` or None for an uncorrected map."""
        label = self.get("corr") or ""
        return _CORRECTIONS.get(label.lower(), label) or None

    @property
    def method(self) -> str | None:
        """How the correction was made: ``montecarlo``, ``bonferroni``, ``indep``..."""
        return self.get("method")

    @cached_property
    def level(self) -> str | None:
        """``"cluster"``, ``"voxel"`` or None for an uncorrected map.

        FDR and Bonferroni work on voxels, also where the name does not say so.
        """
        if (level := self.get("level")) is not None:
            return level
        if self.correction == "FDR" or self.method == "bonferroni":
            return "voxel"
        return None

    @property
    def cluster_statistic(self) -> str | None:
        """``"mass"`` or ``"size"`` for a cluster-level Monte Carlo map, else None."""
        return self._split_desc()[1]

    @property
    def contrast(self) -> str:
        """The ``desc`` without its cluster statistic: ``association``, ``group1``..."""
        return self._split_desc()[0]

    @property
    def dof(self) -> float | None:
        """Degrees of freedom, where the name is enough to know them.

        MKDAChi2 counts in tables of 2 x 2, whose chi-square has one (NiMARE 0.0.1 to
        0.22.1, `nimare.stats`).
        """
        by_tables = self.value == "chi2" and self.contrast in _CHI_SQUARE_CONTRASTS
        return 1.0 if by_tables else None

    def _split_desc(self) -> tuple[str, str | None]:
        desc = self.get("desc") or ""
        match = _CLUSTER_STATISTIC.match(desc)
        if match and self.correction:
            return match[1], match[2].lower()
        return desc, None

    @property
    def run(self) -> tuple[str, str, str]:
        """What the maps of one meta-analysis share: (collection, prefix, counter)."""
        collection = self.download.split("_id-")[0]
        counter = self.suffix if _COUNTER.match(self.suffix) else ""
        return collection, self.prefix, counter

    def uncorrected(self) -> MapName:
        """Name of the map this one was corrected from."""
        entities = []
        for key, label in self.entities:
            if key in _PER_CLUSTER:
                continue
            if key == "desc":
                label = self.contrast
            if label:
                entities.append((key, label))
        return replace(self, entities=tuple(entities))

    @cached_property
    def test(self) -> frozenset[tuple[str, str]]:
        """What the maps of one test of a run share, corrected or not."""
        entities = self.uncorrected().entities
        # Clusters of either tail are labeled in a map of their own.
        return frozenset(one for one in entities if one[0] != "tail")


def words_of_test(stem: str, name: MapName | None) -> frozenset[str]:
    """Tell the maps of one test from those of others by their names.

    Parameters
    ----------
    stem : str
        File name without its extension.
    name : MapName or None
        The parsed name, where it is NiMARE's; without it any program's words are read.

    Returns
    -------
    frozenset of str
        The same for all values and corrections of a test; runs are told apart by
        `MapName.run`.

    Examples
    --------
    >>> sorted(words_of_test("pain_tfce_corrp_tstat2", None))
    ['2', 'pain']
    >>> words_of_test("one_tstat2", None) == words_of_test("one_tstat1", None)
    False
    """
    if name is not None:
        return frozenset(f"{key}-{of}" for key, of in name.test)
    words = []
    stem = stem.replace("cluster_mask", "clustermask")
    for place, word in enumerate(re.split(r"[_\s]+", stem)):
        if found := _OF_VALUES.match(word):
            # A contrast has a number of its own, and so has the level of a correction.
            word = "" if _LEVEL.match(word) else found[1]
        elif place and not word.isdigit() and _THRESHOLD.match(word):
            word = ""
        words.append(word)
    return frozenset(filter(None, words))


#: What randomise and FEAT (FSL 6, randomise.cc) and PALM (palm_core.m, palm_saveall.m)
#: call what they corrected by permutation -> what they call the test, its z and its p.
_PERMUTED = (
    (
        re.compile(r"^(.*_)?(?:vox|tfcen?|cluster[emn])_corrp_([tf])stat(\d*)$"),
        {"test": r"\1\2stat\3", "p": r"\1vox_p_\2stat\3"},
    ),
    (
        re.compile(r"^(.*_)?pstat(\d+)$"),
        {"test": r"\1tstat\2", "z": r"\1zstat\2"},
    ),
    (
        re.compile(r"^(.*_)?pfstat(\d+)$"),
        {"test": r"\1fstat\2", "z": r"\1zfstat\2"},
    ),
    (
        re.compile(
            r"^(.*_)?(?:vox|dp[vfx]|tf[cd]e|cluster[emdtp])_(z?)([tvfgr]|rsq)stat"
            r"_(?:[mc]{0,2}fwep|fdrp)((?:_[mdc]\d+)*)$"
        ),
        {
            "test": r"\1vox_\3stat\4",
            "z": r"\1vox_z\3stat\4",
            "p": r"\1vox_\2\3stat_uncp\4",
        },
    ),
)


def stems_of_test(stem: str) -> dict[str, str]:
    """Name the uncorrected maps of the test that another program corrected.

    Parameters
    ----------
    stem : str
        File name without its extension.

    Returns
    -------
    dict of str to str
        Stems of the statistic (``test``), of its ``z`` and of its ``p``, whether or not
        there are such files; empty for names of NiMARE and of programs that do not
        correct by permutation.

    Examples
    --------
    >>> stems_of_test("pain_clustere_corrp_tstat2")
    {'test': 'pain_tstat2', 'p': 'pain_vox_p_tstat2'}
    >>> stems_of_test("out_tfce_tstat_fwep_c1")["z"]
    'out_vox_ztstat_c1'
    """
    for pattern, named in _PERMUTED:
        if found := pattern.match(stem):
            return {value: found.expand(text) for value, text in named.items()}
    return {}


def split_extension(filename: str) -> tuple[str, str]:
    """Split a file name into stem and known extension (empty when unknown).

    >>> split_extension("z_desc-mass.nii.gz")
    ('z_desc-mass', '.nii.gz')
    """
    lower = filename.lower()
    for extension in EXTENSIONS:
        if lower.endswith(extension) and len(filename) > len(extension):
            return filename[: -len(extension)], filename[-len(extension) :]
    return filename, ""


def parse_name(filename: str, *, from_server: bool = False) -> MapName | None:
    """Read a file name by NiMARE's grammar.

    Parameters
    ----------
    filename : str
        Base name with or without extension.
    from_server : bool
        Whether NeuroVault gave the file its name, which may end in random characters.
        Behind entities they are seen anyway; behind a bare value any word may stand,
        and only what mixes digits, small and capital letters is taken for random.

    Returns
    -------
    MapName or None
        None when the name holds no value entity, or a word before the value makes it
        mean something else, so that it is not NiMARE's.

    Examples
    --------
    >>> name = parse_name("pain_z_desc-mass_level-cluster_corr-FWE.nii.gz")
    >>> name.value, name.prefix, name.level, name.correction
    ('z', 'pain', 'cluster', 'FWE')
    >>> str(name)
    'pain_z_desc-mass_level-cluster_corr-FWE.nii.gz'
    """
    stem, extension = split_extension(filename)
    match = _DOWNLOAD.match(stem)
    download = match[1] if match else ""
    tokens = (stem[match.end() :] if match else stem).split("_")
    # The last token that can be the value: a prefix may itself contain "z" or "p".
    for index in range(len(tokens) - 1, -1, -1):
        if tokens[index] not in VALUE_KINDS:
            continue
        parsed = _parse_entities(tokens[index + 1 :], bool(download) or from_server)
        if parsed is None:
            continue
        if _CHANGES.search("_".join(tokens[:index][-2:])):
            return None
        entities, suffix = parsed
        name = MapName(
            value=tokens[index],
            entities=entities,
            prefix="_".join(tokens[:index]),
            suffix=suffix,
            extension=extension,
            download=download,
        )
        # Odd underscores (doubled, leading) would not survive: then it is not ours.
        return name if str(name) == filename else None
    return None


def _parse_entities(
    tokens: list[str], from_server: bool
) -> tuple[tuple[tuple[str, str], ...], str] | None:
    """Read what follows the value, or None when it does not follow the grammar."""
    suffix = ""
    taken_for_random = (
        _RANDOM if from_server or any(map(_ENTITY.match, tokens)) else _SURELY_RANDOM
    )
    if tokens and (_COUNTER.match(tokens[-1]) or taken_for_random.match(tokens[-1])):
        *tokens, suffix = tokens
    entities: list[tuple[str, str]] = []
    for token in tokens:
        if match := _ENTITY.match(token):
            entities.append((match[1], match[2]))
        elif entities and token:
            # Labels may hold an underscore: prob_desc-AgF_prior.
            key, label = entities[-1]
            entities[-1] = (key, f"{label}_{token}")
        else:
            return None
    return tuple(entities), suffix


# In words: what a user reads in the layer list.

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
    "predictive": "predicted cutoff",
}
#: Between the parts of a short title.
SEPARATOR = " \u00b7 "
_SAID = {"desc", "level", "corr", "method", "tail"}


def title_of(name: MapName, kind: MapKind | None = None) -> str:
    """Say in words what a map is.

    Parameters
    ----------
    name : MapName
        Its name.
    kind : MapKind, optional
        What the numbers are, where that is known better than by the name.

    Returns
    -------
    str
        What the numbers are, contrast, correction, and what else the name says.

    Examples
    --------
    >>> from napari_neurosynth_results.maps.names import parse_name
    >>> title_of(parse_name("z_desc-mass_level-cluster_corr-FWE_method-montecarlo"))
    'z, cluster-level FWE (mass, Monte Carlo)'
    >>> title_of(parse_name("p_desc-association"))
    'p, association, uncorrected'
    """
    row = (kind or VALUE_KINDS[name.value]).row
    parts = [row.values.get(name.value) or row.unit or row.symbol]
    if name.contrast:
        parts.append(contrast_in_words(name))
    if name.correction:
        level = f"{name.level}-level " if name.level else ""
        method = method_in_words(name)
        how = ", ".join(word for word in (name.cluster_statistic, method) if word)
        parts.append(f"{level}{name.correction}" + (f" ({how})" if how else ""))
    elif row.has_p:
        parts.append("uncorrected")
    if tail := name.get("tail"):
        parts.append(f"{tail} tail")
    parts += _others_in_words(name)
    return ", ".join(parts)


def method_in_words(name: MapName) -> str:
    """Say how a correction was made, empty where a name does not tell.

    >>> method_in_words(MapName("z", (("corr", "FDR"), ("method", "indep"))))
    'Benjamini-Hochberg'
    """
    return _METHOD_WORDS.get(name.method or "", name.method or "")


def _others_in_words(name: MapName) -> list[str]:
    """Say what else a name says; CBMR's ``z_a-b`` is a minus b, as its user wrote it.

    >>> _others_in_words(parse_name("z_a-b_corr-FDR_q-0.05"))
    ['a-b', 'q 0.05']
    """
    told = []
    for n, (key, label) in enumerate(name.entities):
        if key not in _SAID:
            told.append(
                f"{key}-{label}" if n == 0 and key != "group" else f"{key} {label}"
            )
    return told


def unique_titles(
    names: Sequence[tuple[str, MapName | None]],
    kinds: Sequence[MapKind | None] | None = None,
) -> list[str]:
    """Title every map of a set, no two alike.

    Parameters
    ----------
    names : sequence of (str, MapName or None)
        File stem and parsed name of each map; without a parsed name the stem is the
        title.
    kinds : sequence of MapKind or None, optional
        What the numbers of each map are, as for `title_of`.

    Returns
    -------
    list of str
        One title a map. The run (prefix) is said where the set holds several.
    """
    several_runs = len({name.run for _, name in names if name}) > 1
    titles = []
    for (stem, name), kind in zip(names, kinds or [None] * len(names), strict=True):
        if name is None:
            titles.append(stem)
            continue
        run = " ".join(part for part in name.run if part) if several_runs else ""
        title = title_of(name, kind)
        titles.append(f"{run}: {title}" if run else title)
    return [
        f"{title} [{stem}]" if titles.count(title) > 1 and title != stem else title
        for title, (stem, _) in zip(titles, names, strict=True)
    ]


def short_titles(
    names: Sequence[tuple[str, MapName | None]],
    kinds: Sequence[MapKind | None] | None = None,
) -> list[str]:
    """Name every map of a set by what tells it apart, that first, no two alike.

    Parameters
    ----------
    names, kinds
        As for `unique_titles`.

    Returns
    -------
    list of str
        Run, correction, contrast, what else the name says and last the value, which
        many maps share: where there is little room, the beginning is what is seen.

    Examples
    --------
    >>> stems = ["z_desc-mass_level-cluster_corr-FWE_method-montecarlo", "z", "p"]
    >>> short_titles([(stem, parse_name(stem)) for stem in stems])
    ['mass \u00b7 FWE \u00b7 z', 'uncorrected \u00b7 z', 'uncorrected \u00b7 p']
    """
    several_runs = len({name.run for _, name in names if name}) > 1
    made = []
    for (stem, name), kind in zip(names, kinds or [None] * len(names), strict=True):
        if name is None:
            made.append(stem)
            continue
        run = " ".join(part for part in name.run if part) if several_runs else ""
        row = (kind or VALUE_KINDS[name.value]).row
        value = row.values.get(name.value) or row.unit or row.symbol
        tail = name.get("tail")
        correction = correction_in_short(name)
        if not correction and row.has_p:
            correction = ("uncorrected",)
        parts = [
            *(run, *correction, contrast_in_words(name)),
            f"{tail} tail" if tail else "",
            *_others_in_words(name),
            value,
        ]
        made.append(SEPARATOR.join(part for part in parts if part))
    return [
        f"{title} [{stem}]" if made.count(title) > 1 and title != stem else title
        for title, (stem, _) in zip(made, names, strict=True)
    ]


def contrast_in_words(name: MapName) -> str:
    """Say which contrast a map is of, empty where there is but one.

    >>> contrast_in_words(MapName("z", (("desc", "group1MinusGroup2"),)))
    'group 1 - group 2'
    """
    return _CONTRAST_WORDS.get(name.contrast, name.contrast)


def correction_in_short(name: MapName) -> tuple[str, ...]:
    """Say what was corrected and how; the usual method goes without saying.

    Returns
    -------
    tuple of str
        Cluster statistic or level, and correction; nothing for an uncorrected map.

    Examples
    --------
    >>> correction_in_short(parse_name("z_level-voxel_corr-FWE_method-montecarlo"))
    ('voxel', 'FWE')
    >>> correction_in_short(parse_name("z_corr-FDR_method-indep"))
    ('FDR Benjamini-Hochberg',)
    """
    if not name.correction:
        return ()
    level, method = name.get("level") or "", method_in_words(name)
    usual = level and name.method == "montecarlo"
    parts = (
        name.cluster_statistic or level,
        name.correction if usual or not method else f"{name.correction} {method}",
    )
    return tuple(part for part in parts if part)


#: NiMARE 0.22.1: `CBMAEstimator`, `PermutedOLS`; no more digits than anybody repeats.
_REPEATED = re.compile(
    r"repeated (\d[\d,]{0,12}) times|(\d[\d,]{0,12}) iterations were performed"
)


def stated_iterations(text: str) -> set[int]:
    """Return all numbers of iterations that a methods text of NiMARE states."""
    found = _REPEATED.findall(text)
    return {int("".join(groups).replace(",", "")) for groups in found}


def text_of_corrections(methods: str) -> str:
    """Return what a methods text of NiMARE says of a correction, else all of it."""
    # What stands before belongs to the uncorrected map: ALESubtraction permutes twice.
    _, found, text = methods.partition("Family-wise error")
    return text if found else methods
