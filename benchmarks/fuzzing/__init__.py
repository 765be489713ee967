"""Damaged slides: how they are made, what they mean by the standard, and what the reader said."""
