"""Find tumor in mass spectrometry images."""
