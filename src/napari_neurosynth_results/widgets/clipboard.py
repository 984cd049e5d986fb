"""Copy text: the one thing a notification needs of Qt."""

from __future__ import annotations


def copy_text(text: str = "") -> None:
    """Put text on the clipboard.

    Parameters
    ----------
    text : str
        What to copy; nothing is done for an empty text.
    """
    from qtpy.QtWidgets import QApplication

    clipboard = QApplication.clipboard()
    if text and clipboard is not None:
        clipboard.setText(text)
