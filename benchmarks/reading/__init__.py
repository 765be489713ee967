"""What the benchmark of readers is made of: slides, readers, one process for each, tables."""
