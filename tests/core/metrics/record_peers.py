"""Record what scikit-image and scikit-learn say: ``python -m tests.core.metrics.record_peers``.

Neither is a dependency of OrgSeg, so that the suite compares with what they said once. To record it
anew, run this in an environment that has them, together with NumPy, SciPy and OpenCV.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PLACE = Path(__file__).with_name("peers.json")
CASES = 40


def case(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Two labellings ``(Z, Y, X)``: by chance, alike, one object, nothing, with gaps, in 2-D."""
    grid = np.indices((3, 8, 9)).reshape(3, -1)
    mixed = ((grid.T @ [7919, 104729, 1299709]) * (number + 3) ** 2 // 11) % 9973
    truth = mixed % (1 + number % 6)
    other = (mixed // 7) % (1 + number % 5)
    prediction = np.where(mixed % 10 < number % 11, truth, other)
    if number % 7 == 1:
        prediction = prediction * 1000
    if number % 8 == 2:
        truth = np.ones_like(truth)
    if number % 8 == 3:
        prediction = np.zeros_like(prediction)
    if number % 8 == 4:
        truth, prediction = truth + 1, truth * 3 + 1
    shape = (24, 9) if number % 2 else (3, 8, 9)
    return truth.reshape(shape), prediction.reshape(shape)


def main() -> None:
    """Write `PLACE`."""
    import skimage
    import sklearn
    from skimage.metrics import adapted_rand_error, variation_of_information
    from sklearn.metrics import adjusted_rand_score

    found = []
    for number in range(CASES):
        truth, prediction = case(number)
        said = {"ari": adjusted_rand_score(truth.ravel(), prediction.ravel())}
        for name, ignored in (("all", ()), ("objects", (0,))):
            if np.isin(truth, ignored).all():
                continue
            with np.errstate(invalid="ignore", divide="ignore"):
                error, by_truth, by_prediction = adapted_rand_error(
                    truth, prediction, ignore_labels=ignored
                )
            split, merge = variation_of_information(truth, prediction, ignore_labels=ignored)
            values = (error, by_prediction, by_truth, split, merge)
            said[name] = [None if np.isnan(value) else float(value) for value in values]
        found.append(said)
    versions = {"scikit-image": skimage.__version__, "scikit-learn": sklearn.__version__}
    PLACE.write_text(json.dumps({"versions": versions, "cases": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
