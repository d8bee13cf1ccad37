"""An environment of its own for the official SDK, made once and kept in the user's cache."""

import os
import subprocess
import sys
import venv
from pathlib import Path

SDK = "conductor-python==2.0.0"


def official_python() -> str:
    """Return the interpreter of that environment.

    Raises:
        subprocess.CalledProcessError: pip cannot bring the SDK.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "anyworker" / f"{SDK}-{sys.version_info.major}.{sys.version_info.minor}"
    python, installed = directory / "bin" / "python", directory / "installed"
    if not installed.exists():
        venv.create(directory, clear=True, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", SDK], check=True, stdout=sys.stderr)
        installed.touch()
    return str(python)
