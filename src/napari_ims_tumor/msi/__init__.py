"""The data: what a mass spectrometry image is. No file formats, no window, no classifier."""
