"""The story of one slide, told in a real window."""
