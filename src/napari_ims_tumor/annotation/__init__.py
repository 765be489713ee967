"""The knowledge: what the expert said about which pixel."""
