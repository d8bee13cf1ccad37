"""What tests of workers need: virtual time."""

from anyworker.testing.clock import VIRTUAL_BACKENDS, DeadlockError, run_virtual, virtual_backend

__all__ = ["VIRTUAL_BACKENDS", "DeadlockError", "run_virtual", "virtual_backend"]
