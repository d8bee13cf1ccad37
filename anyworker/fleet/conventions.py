"""What all processes that run workers have in common, apart from what running them brings along."""

EXIT_COULD_NOT_START = 3
EXIT_ABANDONED = 4
"""A result could not be delivered, or a task had to be left."""
