"""The report as one page for reading: no script, no network, nothing beside it."""
