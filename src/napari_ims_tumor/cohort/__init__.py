"""Many slides: a table of them, one fit over all, and honest validation by patient."""
