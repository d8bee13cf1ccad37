"""Structured-concurrency workers for Conductor, on asyncio and trio."""

__version__ = "0.1.0"
