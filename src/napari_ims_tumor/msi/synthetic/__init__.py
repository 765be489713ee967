"""Slides that no scanner made: data held in memory, and simulated tissue with a known truth."""
