"""All benchmarks by their names: `python -m benchmarks NAME --help`; without a name, what each measures."""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def benchmarks() -> dict[str, Path]:
    """Return the programs by their names."""
    return {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}


def summary(path: Path) -> str:
    """Return the first line of a program's docstring."""
    return path.read_text(encoding="utf-8").partition('"""')[2].partition("\n")[0].removesuffix('"""')


def main() -> int:
    """Run the benchmark that the command line names."""
    found = benchmarks()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in found:
        del sys.argv[1]
        sys.argv[0] = str(found[name])
        sys.path.insert(0, str(HERE))
        runpy.run_path(str(found[name]), run_name="__main__")
        return 0
    print("usage: python -m benchmarks NAME [options]; NAME --help tells them\n")
    for each, path in found.items():
        print(f"  {each:14}{summary(path)}")
    if name in {"", "-h", "--help"}:
        return 0
    print(f"\nThere is no benchmark {name!r}.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
