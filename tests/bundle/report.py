"""What the scripts of this folder print: one line a check, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

Checks = Iterator[tuple[str, object, str, str, bool]]
"""Name, value, unit, goal in words, and whether it is met."""


class Report:
    """Prints checks as they come.

    Attributes
    ----------
    failed
        Names of the checks that did not meet their goal.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self.failed: list[str] = []

    def tell(self, name: str, value: object, unit: str, goal: str, is_met: bool) -> None:
        """One line; ``!!`` before what fell short."""
        if not is_met:
            self.failed.append(name)
        if self._as_json:
            facts = {"name": name, "value": value, "unit": unit, "goal": goal, "met": is_met}
            print(json.dumps(facts), flush=True)
        else:
            found = " ".join(str(part) for part in (value, unit) if part != "")
            print(f"{'  ' if is_met else '!!'} {name}: {found} ({goal})", flush=True)

    def carry_out(self, check: Callable[[], Checks]) -> bool:
        """Tell what a check finds; one that breaks off has failed, and the next goes on.

        Returns
        -------
        Whether it ran to its end.
        """
        try:
            for found in check():
                self.tell(*found)
        except Exception as error:
            name = getattr(check, "__name__", str(check)).strip("_").replace("_", " ")
            self.tell(name, f"{type(error).__name__}: {error}", "", "to its end", False)
            return False
        return True

    @property
    def exit_code(self) -> int:
        """0 when all checks met their goals."""
        return 1 if self.failed else 0
