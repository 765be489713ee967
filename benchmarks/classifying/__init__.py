"""The parts of ``benchmarks/classifier.py``."""
