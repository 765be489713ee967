"""The system's file choosers."""

from __future__ import annotations

import re
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_ims_tumor.session.reopening import MissingSlide
from napari_ims_tumor.session.slide_state import SlideState

SLIDES = "Mass spectrometry images (*.imzML *.imzml *.ibd)"


def ask_open(parent: QWidget, title: str, kinds: str) -> Path | None:
    """Ask for a file to read; ``None`` when the user cancels."""
    chosen, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    return Path(chosen) if chosen else None


def ask_save(parent: QWidget, title: str, proposed: Path, kinds: str) -> Path | None:
    """Ask for a place to write to.

    A name without an ending gets that of the chosen kind, or the proposed one if it is of it.
    """
    chosen, kind = QFileDialog.getSaveFileName(parent, title, str(proposed), kinds)
    if not chosen:
        return None
    path = Path(chosen)
    # "patient 1.2" has no ending, whatever pathlib says.
    if re.fullmatch(r"\.[A-Za-z]\w*", path.suffix):
        return path
    ending = ".ome.tif" if proposed.name.endswith(".ome.tif") else proposed.suffix
    if kind and f"*{ending}" not in kind:
        ending = re.split(r"[ )]", kind.partition("*")[2])[0] or ending
    path = path.with_name(path.name + ending)
    return path if may_replace(parent, path) else None


def may_replace(parent: QWidget, path: Path) -> bool:
    """Ask about a file that the dialog could not know of, as it had no ending yet."""
    if not path.exists():
        return True
    kinds = QMessageBox.StandardButton
    text = f"{path.name} already exists. Replace it?"
    return bool(QMessageBox.question(parent, "Replace", text, kinds.Yes | kinds.No) == kinds.Yes)


def ask_for_slide(parent: QWidget | None, missing: MissingSlide) -> Path | None:
    """Say which slide is missing and ask where it is; ``None`` when the user cancels."""
    box = QMessageBox(parent)
    box.setObjectName("missing_slide")
    box.setWindowTitle("A slide was moved")
    box.setText(f"{missing.message}.")
    find = box.addButton("Find it…", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    if box.clickedButton() is not find:
        return None
    title = f"Where is {missing.name}?"
    folder = str(missing.session_file.parent)
    chosen, _ = QFileDialog.getOpenFileName(parent, title, folder, SLIDES)
    return Path(chosen) if chosen else None


def beside(slide: SlideState | None, name: str) -> Path:
    """Propose a place beside the slide's own file, else in the user's home."""
    source = slide.dataset.source if slide else None
    return (source.parent if source else Path.home()) / name
