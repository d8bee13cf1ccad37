"""A process of a fleet: ``python -m anyworker.fleet.processes.child``, as its parent starts it."""

import gc
import sys

from anyworker.lazy import leanly

if __name__ == "__main__":
    # Nothing that is loaded here is garbage, so looking for some would be in vain.
    gc.disable()
    with leanly():
        from anyworker.fleet.processes.duty import main
    gc.enable()
    main(sys.argv[1:])
