"""``python -m anyworker``: the same as the ``anyworker`` command."""

from anyworker.cli import main

if __name__ == "__main__":
    main()
