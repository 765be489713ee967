"""The files: from disk to values and back. No window, no classifier."""
