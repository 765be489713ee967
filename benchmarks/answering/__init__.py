"""How long answers take: from strokes to an overlay, and spectra per second of each network."""
