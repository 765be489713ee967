"""``ims-tumor``: everything the window does, without a window."""

from napari_ims_tumor.cli.main import main

__all__ = ["main"]
