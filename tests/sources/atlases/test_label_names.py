"""Names of labels in all the tables that atlases come with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_servers import label_xml
from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.sources.atlases.label_names import (
    ENDINGS,
    find_names,
    read_names,
)

TWO = {1: "Insula L", 2: "Insula R"}


@pytest.mark.parametrize(
    ("filename", "text"),
    [
        ("x.csv", "index,name\n1,Insula_L\n2,Insula_R\n"),
        (
            "x.csv",
            "id,label,hemisphere,structure\n1,Insula,L,cortex\n2,Insula,R,cortex",
        ),
        ("x.csv", 'Label Number;Region\n1;"Insula L"\n\n2;Insula R\n'),
        ("x.csv", "name,x,y,index\nInsula L,-38,4,1\nInsula R,38,4,2\n"),
        ("x.csv", "label,name\n1,Left Insula\n2,Right Insula\n"),
        ("x.csv", "ROI_Name,Hemi,Value\nInsula,left,1.0\nInsula,right,2.0\n"),
        ("x.csv", "1,Insula_L\n2,Insula_R\n"),
        ("x.tsv", "index\tname\tcolor\n1\tL_Insula\t#ff0000\n2\tR_Insula\t#00ff00\n"),
        ("x.txt", "1 Insula_L\n2 Insula_R\n"),
        ("x.txt", "# No. Name\n1 Left Insula\n2 Right Insula\n"),
        ("x.txt", "1\tInsula_L\t120\t18\t131\t0\n2\tInsula_R\t120\t18\t132\t0\n"),
        ("x.txt", "1 ctx-lh-Insula 25 5 25 0\n2 ctx-rh-Insula 25 5 25 0\n"),
        ("x.txt", "1, Insula L\n2, Insula R\n"),
        ("x.txt", "1 Insula, left\n2 Insula, right\n"),
        ("x.txt", "INL\tInsula_L\t1\nINR\tInsula_R\t2\n"),
        ("x.txt", "1 Insula_L 1\n2 Insula_R 2\n"),
        ("x.json", json.dumps({"1": "Insula_L", "2": "Insula_R"})),
        (
            "x.json",
            json.dumps({"name": "x", "regions": {"1": "Insula L", "2": "Insula R"}}),
        ),
        (
            "x.json",
            json.dumps(
                {
                    "1": {"name": "Insula", "hemi": "L"},
                    "2": {"name": "Insula", "hemi": "R"},
                }
            ),
        ),
    ],
)
def test_tables_of_all_kinds(tmp_path: Path, filename: str, text: str) -> None:
    for number, encoding in enumerate(("utf-8", "utf-8-sig", "utf-16")):
        path = tmp_path / f"{number}{filename}"
        path.write_text(text, encoding=encoding)
        assert read_names(str(path)) == TWO


#: Lists of programs that show labels: colors before, behind or below the names.
COLORED = {
    "FSLeyes": ("x.lut", "1  0.00000 0.93333 0.00000 {0}\n2 0.6 0.3 0.2 {1}\n"),
    "FSLeyes, tabs": ("x.lut", "1\t0.0\t0.9\t0.0\t{0}\n2\t1\t0\t1\t{1}\n"),
    "FSLeyes, tab before the name": ("x.lut", "1 0 0 1\t{0}\n2 0 1 1\t{1}\n"),
    "FSLeyes, nameless entries": ("x.lut", "3 0 0 .5\n1 0 0 1 {0}\n2 0 1 1 {1}\n"),
    "SUIT": ("x.tsv", "index\tname\tcolor\n1\t{0}\t#cc0000\n2\t{1}\t#00ff00\n"),
    "SUIT without header": ("x.tsv", "1\t{0}\t#cc0000\n2\t{1}\t#00ff00\n"),
    "hex before the name": ("x.txt", "1 #cc0000 {0}\n2 #0f0 {1}\n"),
    "ITK-SNAP": (
        "x.txt",
        "# IDX -R- -G- -B- -A-- VIS MSH LABEL\n"
        '0 0 0 0 0 0 0 "Clear Label"\n'
        '1 255 0 0 1 1 1 "{0}"\n   2    0  255 0  0.5  1 0  "{1}"\n',
    ),
    "ITK-SNAP as .lut": ("x.lut", '1 255 0 0 1 1 1 "{0}"\n2 0 0 0 0 0 0 "{1}"\n'),
    "MRIcron": ("x.nii.txt", "1 {0} 2001\n2 {1} 2002\n"),
    "Workbench": ("x.txt", "{0}\n1 255 0 0 255\n{1}\n2 0 255 0 255\n"),
    "Workbench with 0": (
        "x.txt",
        "???\n0 0 0 0 0\n{0}\n1 255 0 0 255\n{1}\n2 0 255 0 255\n",
    ),
    "FreeSurfer": (
        "x.txt",
        "#No. Label Name:  R G B A\n\n0 Unknown 0 0 0 0\n"
        "1 {0} 70 130 180 0\n2 {1} 245 245 245 0\n",
    ),
    "FreeSurfer, tab and spaces": (
        "x.lut",
        "1\t{0}   70 130 180 0\n2\t{1}   245 245 245 0\n",
    ),
    "FreeSurfer with tissues": (
        "x.txt",
        "1 {0} 70 130 180 0 2\n2 {1} 245 245 245 0 1\n",
    ),
    "FreeSurfer without alpha": ("x.txt", "1 {0} 70 130 180\n2 {1} 245 245 20\n"),
    "AFNI": (
        "x.niml.lt",
        '<VALUE_LABEL_DTABLE\n  ni_type="2*String"\n  ni_dimen="3" >\n'
        '"0" "Nothing"\n"1" "{0}"\n"2" "{1}"\n</VALUE_LABEL_DTABLE>\n',
    ),
    "CAT12": (
        "x.csv",
        "ROIid;ROIabbr;ROIname;ROIcolor\n1;a;{0};203 142 203\n2;b;{1};1 42 203\n",
    ),
    "CAT12 without header": ("x.csv", "1;{0};203 142 203\n2;{1};1 42 203\n"),
    "colors in columns": ("x.csv", "1,{0},203,142,203\n2,{1},1,42,203\n"),
    "label behind the name": ("x.txt", "{0} 1 203 142 203 255\n{1} 2 1 42 203 255\n"),
    "comments": ("x.lut", "% a\n# b\n// c\n\n1 0 0 1 {0}\n   \n2 0 1 1 {1}\n"),
}
NAMES = {
    "FreeSurfer's": ("Left-Insula", "ctx-rh-Insula", "Insula L", "Insula R"),
    "SUIT's": ("Left_I_IV", "Right_I_IV", "I IV L", "I IV R"),
    "with spaces": ("Left Frontal Pole", "Frontal Pole Right", "Frontal Pole {}", ""),
    "with a number": ("Left_Area_44", "Area_45_R", "Area 44 L", "Area 45 R"),
    "with a number apart": ("Area 44", "Area 45", "Area 44", "Area 45"),
}


#: FreeSurfer's own names have no spaces.
PAIRS = [
    (program, names)
    for program in COLORED
    for names, (first, *_) in NAMES.items()
    if program != "FreeSurfer with tissues" or " " not in first
]


@pytest.mark.parametrize(("program", "names"), PAIRS)
def test_colors_never_enter_a_name(tmp_path: Path, program: str, names: str) -> None:
    filename, text = COLORED[program]
    first, second, left, right = NAMES[names]
    expected = {1: left.format("L"), 2: right or left.format("R")}
    for end in ("\n", "\r\n"):
        path = tmp_path / filename
        path.write_bytes(text.format(first, second).replace("\n", end).encode())
        assert read_names(str(path)) == expected


def test_one_line_that_ends_with_numbers_is_no_list_of_colors(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 Insula\n2 Areas 3 1 2\n3 Area 4000\n4 hIP 4\n5 Pole L\n")
    assert read_names(str(path)) == {
        **{1: "Insula", 2: "Areas 3 1 2", 3: "Area 4000", 4: "hIP 4", 5: "Pole L"}
    }
    path.write_text("Left Frontal Pole 1\nArea 44 2\n")
    assert read_names(str(path)) == {1: "Frontal Pole L", 2: "Area 44"}
    path.write_text("FAG Precentral_L 1\nF1D Frontal_Sup_R 2\n")
    assert read_names(str(path)) == {1: "Precentral L", 2: "Frontal Sup R"}


COLOR_MAPS = [
    b"0.1 0.2 0.3\n0.4 0.5 0.6\n",
    b"0 0 0\n255 0 0\n",
    b"%!VEST-LUT\n%%BeginInstance\n<-color{0.0,0.0,0.0}->\n",
    bytes(range(256)) * 3,
]


@pytest.mark.parametrize("data", COLOR_MAPS)
def test_a_color_map_names_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "atlas.lut"
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=r"names no label|is empty|not a text"):
        read_names(str(path))
    # Beside an image it is not taken for its names.
    assert find_names(str(tmp_path / "atlas.nii.gz")) is None


def test_xml_of_fsl_says_which_value_it_means(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(label_xml({0: "Insula_L", 1: "Insula_R"}, "Probabilistic"))
    assert read_names(str(path)) == TWO
    path.write_bytes(label_xml({1: "Insula_L", 2: "Insula_R"}))
    assert read_names(str(path)) == TWO


def test_letters_of_old_windows(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("index,name\n1,Hörrinde L\n".encode("cp1252"))
    assert read_names(str(path)) == {1: "Hörrinde L"}


def test_names_with_commas_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(
        "1 Inferior Frontal Gyrus, pars opercularis\n2 Area 44\n3 hOc3v 1 2"
    )
    assert read_names(str(path)) == {
        1: "Inferior Frontal Gyrus, pars opercularis",
        2: "Area 44",
        3: "hOc3v 1 2",
    }


@pytest.mark.parametrize(
    ("filename", "data", "words"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b"\n  \n", "is empty"),
        ("x.csv", b"a,b\n1,x\n", "no column of numbers .*Call the columns"),
        ("x.csv", b"index,color\n1,red\n", "no column of names"),
        ("x.csv", b"index,name\none,x\n", "no column of numbers"),
        ("x.csv", b"index,name\n1,x\n1,y\n", "label 1 both 'x' and 'y'"),
        ("x.csv", b"index,name\n1,\n", "names no label"),
        ("x.csv", b"\x00\x01\x02\x03" * 9, "is not a text file"),
        (
            "x.csv",
            b"index,name\n1," + b"x" * 200_000 + b"\n",
            "cannot be read as a table",
        ),
        ("x.txt", b"Insula\nThalamus\n", "names no label"),
        ("x.json", b"{", "cannot be read as JSON"),
        ("x.json", b"[" * 100_000, "cannot be read as JSON"),
        ("x.json", b"[1, 2]", "is not a list of labels"),
        ("x.json", b'{"Resolution": "2 mm"}', "is not a list of labels"),
        ("x.xml", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        ("x.csv", b"1,x\n" * (5 << 20), "too large"),
    ],
)
def test_what_is_no_list_of_names(
    tmp_path: Path, filename: str, data: bytes, words: str
) -> None:
    path = tmp_path / filename
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=words) as caught:
        read_names(str(path))
    assert str(path) in str(caught.value)


@pytest.mark.slow
def test_too_many_labels(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("\n".join(f"{n} a" for n in range(1, 100_100)))
    with pytest.raises(ResultsError, match="too many labels"):
        read_names(str(path))


def test_what_is_not_there_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "nul\0.csv"):
        with pytest.raises(ResultsError, match="cannot be read"):
            read_names(str(path))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300)
    | st.text("0123456789,;\t\n\" .#LRaindexme{}:[]'", max_size=200).map(str.encode),
    st.sampled_from(ENDINGS),
)
def test_any_bytes_are_read_or_refused(
    tmp_path: Path, data: bytes, ending: str
) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(data)
    try:
        names = read_names(str(path))
    except ResultsError:
        return
    assert names
    assert all(isinstance(n, int) and name.strip() for n, name in names.items())


@pytest.mark.parametrize(
    ("image", "files", "found"),
    [
        ("atlas.nii.gz", ["atlas.csv", "labels.csv"], "atlas.csv"),
        ("atlas.nii", ["labels_of_it.txt", "notes.csv"], "labels_of_it.txt"),
        ("atlas.nii", ["labels_a.txt", "labels_b.txt"], None),
        ("atlas.nii", ["notes.csv"], None),
        ("t_res-01_dseg.nii.gz", ["t_dseg.tsv"], "t_dseg.tsv"),
        ("atlas_aal.nii.gz", ["labels_dk.csv", "labels_aal.csv"], "labels_aal.csv"),
        ("atlas.nii", [], None),
        ("aal.nii.gz", ["aal.nii.txt", "labels_b.txt"], "aal.nii.txt"),
        ("aal.nii", ["aal.nii.txt"], "aal.nii.txt"),
    ],
)
def test_names_are_found_beside_the_image(
    tmp_path: Path, image: str, files: list[str], found: str | None
) -> None:
    for name in files:
        text = "index\tname\n1\tx\n" if name.endswith(".tsv") else "1,x\n"
        (tmp_path / name).write_text(text)
    expected = None if found is None else str(tmp_path / found)
    assert find_names(str(tmp_path / image)) == expected


def test_json_beside_an_image_may_be_about_something_else(tmp_path: Path) -> None:
    (tmp_path / "atlas.json").write_text('{"Resolution": "2 mm"}')
    assert find_names(str(tmp_path / "atlas.nii.gz")) is None
    (tmp_path / "atlas.json").write_text('{"1": "Insula"}')
    assert find_names(str(tmp_path / "atlas.nii.gz")) == str(tmp_path / "atlas.json")


def test_lists_of_fsl_say_which_image_they_are_for(tmp_path: Path) -> None:
    images = "<images><imagefile>/HO/{0}-prob-2mm</imagefile><summaryimagefile>"
    images += "/HO/{0}-maxprob-thr25-2mm</summaryimagefile></images></header>"
    for name in ("cort", "sub"):
        text = label_xml({0: f"{name} L"}, "Probabalistic").decode("latin-1")
        text = text.replace("</header>", images.format(name))
        (tmp_path / f"{name}.xml").write_text(text, encoding="latin-1")
    (tmp_path / "HO").mkdir()
    for name in ("cort", "sub"):
        image = tmp_path / "HO" / f"{name}-maxprob-thr25-2mm.nii.gz"
        assert find_names(str(image)) == str(tmp_path / f"{name}.xml")
    assert find_names(str(tmp_path / "HO" / "other-maxprob-thr25-2mm.nii.gz")) is None
