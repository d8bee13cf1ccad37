"""Queries over an index, and what they find."""
