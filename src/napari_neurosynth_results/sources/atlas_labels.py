"""FSL's XML of atlas labels -> names by voxel value."""

from __future__ import annotations

from xml.parsers import expat

from napari_neurosynth_results.errors import ResultsError

_LONGEST = 200


def parse_label_xml(data: bytes, what: str) -> dict[int, str]:
    """Read the names of an atlas's labels.

    In FSL's files the voxels of an atlas of type ``Label`` hold the index of a label,
    those of a probabilistic one (its summary image) the index plus 1. A second form,
    which NeuroVault accepts too, has the value itself in an ``<index>`` element.

    Parameters
    ----------
    data : bytes
        The file; its own declaration says how it is encoded.
    what : str
        What to call it in messages.

    Returns
    -------
    dict of int to str
        Voxel value -> name; the order in the file does not matter.

    Raises
    ------
    ResultsError
        When it is no such file, or declares entities, which may expand without end.
    """
    if len(data) > _MOST_BYTES:
        raise ResultsError(f"{what}: too large for a list of labels.")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ResultsError(f"{what} cannot be read as XML: {error}.") from error
    if not (names := reader.names()):
        raise ResultsError(f"{what} names no label.")
    return names


def _refuse(*declaration: object) -> None:
    # Entities are declared in a document type, and nowhere else.
    raise ValueError("it declares a document type, which lists of labels do not need")


class _Reader:
    """Collects labels while the parser reads."""

    def __init__(self) -> None:
        self._inside: list[str] = []
        self._text: dict[str, str] = {}
        self._index: str | None = None
        self._found: list[tuple[str, str, bool]] = []
        self._type = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._inside.append(tag.lower())
        if self._inside[-1] == "label":
            self._text = {}
            self._index = attributes.get("index")

    def text(self, text: str) -> None:
        if not self._inside:
            return
        tag = self._inside[-1]
        if tag == "type":
            self._type += text
        if "label" in self._inside:
            self._text[tag] = (self._text.get(tag, "") + text)[:_LONGEST]

    def end(self, tag: str) -> None:
        if self._inside.pop() != "label":
            return
        if self._index is not None:
            self._found.append((self._index, self._text.get("label", ""), True))
        else:
            number, name = self._text.get("index", ""), self._text.get("name", "")
            self._found.append((number, name, False))
        if len(self._found) > _MOST_LABELS:
            raise ValueError("it has too many labels")

    def names(self) -> dict[int, str]:
        """Return the names by voxel value."""
        # FSL itself spells the word in two ways.
        shift = 1 if self._type.strip().lower().startswith("probab") else 0
        names = {}
        for index, name, fsl in self._found:
            try:
                value = int(index.strip()) + (shift if fsl else 0)
            except ValueError:
                continue
            if name := " ".join(name.split()):
                names[value] = name
        return names
