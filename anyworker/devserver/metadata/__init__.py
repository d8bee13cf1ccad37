"""Definitions of tasks and workflows: read, checked, kept, and made ready to run."""
