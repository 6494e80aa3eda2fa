"""Whether the steps of a recipe stand in a good order: advice, never a refusal."""

from __future__ import annotations

from collections.abc import Sequence

from orgseg_app.core.preprocessing.steps import PREPROCESSING, Step

SMOOTHING = ("gaussian", "median", "nlm")
"""Steps against noise; they keep the camera's units."""

LOCAL_CONTRAST = ("clahe", "clahe_fiji", "equalise", "edge_enhance")
"""Steps that make noise stronger."""


def advice(steps: Sequence[Step]) -> list[str]:
    """Sentences on what would go better in another order; none where all is well.

    Parameters
    ----------
    steps
        In order; each of `steps.PREPROCESSING`.
    """
    names = [step.name for step in steps]
    said = []
    for n, name in enumerate(names):
        before = next((other for other in names[:n] if other in LOCAL_CONTRAST), "")
        if before and name in (*SMOOTHING, "background"):
            what = "strengthens background and" if name == "background" else "strengthens"
            said.append(f'"{_title(before)}" {what} noise: put "{_title(name)}" before it.')
    if names and all(name in SMOOTHING for name in names):
        said.append(
            "Images keep the camera's units, which networks learn from slowly: add a step such as "
            f'"{_title("percentile")}" at the end.'
        )
    return said


def _title(name: str) -> str:
    return PREPROCESSING[name].title
