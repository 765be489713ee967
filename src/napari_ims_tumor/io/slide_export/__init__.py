"""Part of a slide as a file for other programs: pixels, m/z and ions that are chosen."""
