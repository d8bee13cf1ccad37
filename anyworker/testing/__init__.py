"""What tests of workers need: virtual time, and plain functions that do not run away from it."""

from anyworker.runner.threads import run_inline
from anyworker.testing.clock import VIRTUAL_BACKENDS, DeadlockError, run_virtual, virtual_backend

__all__ = ["VIRTUAL_BACKENDS", "DeadlockError", "run_inline", "run_virtual", "virtual_backend"]
