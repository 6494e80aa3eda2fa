"""Print the tests that failed in the last run, one a line: ``python3 -m tests.last_failed``."""

import json
from pathlib import Path

KEPT = Path(__file__).parents[1] / ".pytest_cache" / "v" / "cache" / "lastfailed"


def last_failed(kept: Path = KEPT) -> list[str]:
    """Names of the tests, as pytest keeps them; none where all passed."""
    if not kept.is_file():
        return []
    return sorted(json.loads(kept.read_text(encoding="utf-8")))


if __name__ == "__main__":
    for name in last_failed():
        print(name)
