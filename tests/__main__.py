"""Pass OrgSeg's tests: ``python3 -m tests [pytest's arguments]``; sets up ``.venv`` first."""

import os
import sys


def main() -> int:
    """Run pytest on this checkout and return its exit code."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    os.chdir(root)
    from orgseg_app.bootstrap import ensure

    ensure(extras=("dev",))
    try:
        import pytest
    except ImportError:
        sys.exit(
            "The tests need the development tools, which this Python lacks. Nothing was changed; "
            'install them with: pip install -e ".[dev]" -c packaging/constraints.txt'
        )
    return int(pytest.main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
