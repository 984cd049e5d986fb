"""Names of regions of many atlases, brought to one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.anatomy.region_names import LONGEST, tidy_name


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("Left-Thalamus-Proper", "Thalamus Proper L"),
        ("ctx-lh-insula", "insula L"),
        ("ctx_rh_G_and_S_cingul-Ant", "G and S cingul-Ant R"),
        ("wm-rh-insula", "wm insula R"),
        ("lh.insula", "insula L"),
        ("Insula_R", "Insula R"),
        ("insula R", "insula R"),
        ("7Networks_LH_Vis_1", "7Networks Vis 1 L"),
        ("17Networks_RH_DefaultA_PFCm_2", "17Networks DefaultA PFCm 2 R"),
        ("Left Insular Cortex", "Insular Cortex L"),
        ("Right_Frontal_Pole", "Frontal Pole R"),
        ("L G_and_S_frontomargin", "G and S frontomargin L"),
        ("L_V1_ROI", "V1 ROI L"),
        ("Precentral gyrus (left)", "Precentral gyrus L"),
        ("Area 4, right", "Area 4 R"),
        ("GM Amygdala_superficial group L", "GM Amygdala superficial group L"),
        ("GM_Anterior_intra-parietal_sulcus_hIP1_L", None),
        ("  Left \t Caudate\n", "Caudate L"),
        ("Left-insula-L", "insula L"),
        # No side, or not clear which.
        ("Brain-Stem", "Brain-Stem"),
        ("Vermis_4_5", "Vermis 4 5"),
        ("Left_insula_R", "Left insula R"),
        ("Left and right insula", "Left and right insula"),
        ("Left", "Left"),
        ("R", "R"),
        ("L R", "L R"),
        ("Lingual", "Lingual"),
        ("Rectus", "Rectus"),
        ("Lefty lobule", "Lefty lobule"),
        ("", ""),
        ("\x00\u202e\ud800insula", "insula"),
    ],
)
def test_the_side_is_last_and_the_name_stays(text: str, tidy: str | None) -> None:
    if tidy is None:
        tidy = "GM Anterior intra-parietal sulcus hIP1 L"
    assert tidy_name(text) == tidy


@pytest.mark.parametrize(
    ("text", "column", "tidy"),
    [
        ("bankssts", "L", "bankssts L"),
        ("insula", "right", "insula R"),
        ("insula", " RH ", "insula R"),
        ("brainstem", "B", "brainstem"),
        ("brainstem", "", "brainstem"),
        ("Insula_L", "L", "Insula L"),
        ("Insula_L", "R", "Insula L"),
        ("Left and right insula", "L", "Left and right insula"),
    ],
)
def test_a_column_tells_the_side_where_the_name_does_not(
    text: str, column: str, tidy: str
) -> None:
    assert tidy_name(text, column) == tidy


@given(st.text(max_size=300), st.sampled_from(["", "L", "right", "x"]))
def test_any_text_becomes_one_short_line(text: str, column: str) -> None:
    name = tidy_name(text, column)
    assert name == " ".join(name.split())
    assert name.isprintable()
    assert len(name) <= LONGEST + 2
    assert "_" not in name


@given(st.from_regex(r"[a-z]{3,12}( [A-Z]?[a-z]{2,8})?", fullmatch=True))
def test_all_spellings_of_a_side_give_the_same_name(word: str) -> None:
    under = word.replace(" ", "_")
    spelled = [
        f"Left {word}",
        f"{under}_L",
        f"Left_{under}",
        f"{word} (L)",
        f"L {word}",
    ]
    sides = {"left", "right", "lh", "rh", "both", "bilateral"}
    if not sides & set(word.lower().split()):
        assert {tidy_name(text) for text in spelled} == {f"{word} L"}
