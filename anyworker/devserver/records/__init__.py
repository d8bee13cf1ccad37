"""Workflows and tasks as the server keeps them and shows them."""
