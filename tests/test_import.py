"""Importing anyworker changes nothing global, and loads only what is used."""

import json
import pkgutil
import subprocess
import sys

import pytest

import anyworker

HEAVY = ("click", "prometheus_client", "rich", "trio", "uvicorn", "watchfiles")
"""Packages that load when they are used."""

# Everything is compared by identity or by value within one fresh interpreter. The standard library's own
# effects (logging and multiprocessing register atexit callbacks) are had before the first look.
SNAPSHOT = """
import asyncio, atexit, concurrent.futures.thread, gc, importlib, json, locale, logging, multiprocessing
import os, resource, signal, socket, ssl, sys, threading, warnings

def look():
    root = logging.getLogger()
    return {
        "signal handlers": {str(number): repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "blocked signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "wakeup descriptor": wakeup_descriptor(),
        "root logger": [root.level, str(root.handlers), str(root.filters), root.disabled],
        "logger classes": [repr(logging.getLoggerClass()), repr(logging.getLogRecordFactory())],
        "logging settings": [logging.raiseExceptions, logging.root.manager.disable, logging._levelToName],
        "warnings captured": repr(warnings.showwarning),
        "environment": dict(os.environ),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "event loop policy": repr(asyncio.get_event_loop_policy()),
        "excepthooks": [repr(hook) for hook in (sys.excepthook, threading.excepthook, sys.unraisablehook)],
        "trace": [repr(sys.gettrace()), repr(sys.getprofile()), repr(sys.get_asyncgen_hooks())],
        "warnings filters": repr(warnings.filters),
        "atexit callbacks": atexit._ncallbacks(),
        "threads": [thread.name for thread in threading.enumerate()],
        "descriptors": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else [],
        "import path": [sys.path, repr(sys.meta_path), repr(sys.path_hooks)],
        "streams": [repr(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "interpreter": [sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold(), gc.isenabled()],
        "locale": locale.setlocale(locale.LC_ALL),
        "directory": os.getcwd(),
        "limits": [resource.getrlimit(resource.RLIMIT_NOFILE), socket.getdefaulttimeout()],
    }

def wakeup_descriptor():
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor

"""

COMPARE = """
before = look()
for module in {modules!r}:
    importlib.import_module(module)
after = look()
print(json.dumps({{name: [before[name], after[name]] for name in before if before[name] != after[name]}}))
"""

LOADED = """
import json, sys
import {module}
print(json.dumps(sorted(set(sys.modules) & set({heavy!r}))))
"""


def report_of(script: str) -> object:
    """Run a script in a fresh interpreter and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "importing writes to stderr"
    return json.loads(done.stdout)


def every_module() -> list[str]:
    """Return all importable modules; ``__main__`` is run, not imported."""
    found = pkgutil.walk_packages(anyworker.__path__, "anyworker.")
    return ["anyworker", *sorted(module.name for module in found if not module.name.endswith("__main__"))]


def test_importing_anyworker_changes_nothing_global() -> None:
    assert report_of(SNAPSHOT + COMPARE.format(modules=["anyworker"])) == {}


def test_importing_every_module_changes_nothing_global() -> None:
    modules = every_module()
    assert len(modules) > 20
    foreign = "\n".join(f"import {package}" for package in HEAVY)
    assert report_of(SNAPSHOT + foreign + COMPARE.format(modules=modules)) == {}


def test_using_every_public_name_changes_nothing_global() -> None:
    resolve = "import anyworker; [getattr(anyworker, name) for name in anyworker.__all__]"
    script = SNAPSHOT + f"before = look()\n{resolve}\nafter = look()\nprint(json.dumps(before != after))"
    assert report_of(script) is False


def test_every_public_name_exists() -> None:
    missing = [name for name in getattr(anyworker, "__all__", ()) if not hasattr(anyworker, name)]
    assert not missing


@pytest.mark.parametrize("module", ["anyworker", "anyworker.testing"])
def test_importing_loads_no_package_that_is_not_used_yet(module: str) -> None:
    assert report_of(LOADED.format(module=module, heavy=HEAVY)) == []


@pytest.mark.parametrize("module", ["anyworker.devserver", "anyworker.fleet.serving"])
def test_what_speaks_http_loads_no_server_and_no_second_backend(module: str) -> None:
    """httpx itself imports click and rich, for a command line of its own, where they are installed."""
    heavy = sorted(set(HEAVY) - {"click", "rich"})
    assert report_of(LOADED.format(module=module, heavy=heavy)) == []


def test_the_snapshot_sees_changes() -> None:
    meddle = """
before = look()
os.environ["X"] = "1"
logging.basicConfig()
logging.captureWarnings(True)
signal.signal(signal.SIGTERM, lambda *_: None)
multiprocessing.set_start_method("spawn")
atexit.register(print)
warnings.simplefilter("ignore")
sys.excepthook = print
threading.Thread(target=threading.Event().wait, daemon=True).start()
held = socket.socket()
after = look()
atexit.unregister(print)
print(json.dumps(sorted(name for name in before if before[name] != after[name])))
"""
    assert report_of(SNAPSHOT + meddle) == sorted(
        [
            "atexit callbacks",
            "descriptors",
            "environment",
            "excepthooks",
            "root logger",
            "signal handlers",
            "start method",
            "threads",
            "warnings captured",
            "warnings filters",
        ]
    )
