"""What so many successes in so many trials prove: exact one-sided bounds of a share (Clopper and Pearson 1934).

"With a confidence of 95 % at least R % of failovers meet their objective" is the lower bound. For flawless trials it is
the success-run theorem: R ** n = 1 - confidence, so 59 flawless failovers show 95 % at 95 %.
"""

from __future__ import annotations

from drill.measure.chance import binomial_tail

HALVINGS = 60
"""Of [0, 1]: far below what a double tells apart."""
MOST_TRIALS = 1 << 40


def at_least(successes: int, trials: int, confidence: float) -> float:
    """The greatest share that is shown to be reached: were it less, so many successes would be rarer than 1 - confidence.

    0 where nothing was tried or nothing succeeded. Rounded down, so that it never claims too much.
    """
    _check(successes, trials, confidence)
    if successes == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if binomial_tail(successes, trials, middle) <= 1.0 - confidence:
            low = middle
        else:
            high = middle
    return low


def at_most(successes: int, trials: int, confidence: float) -> float:
    """The least share that is shown not to be exceeded; 1 where nothing was tried or nothing failed."""
    return 1.0 - at_least(trials - successes, trials, confidence)


def trials_needed(reliability: float, confidence: float, failures: int = 0) -> int:
    """How many trials with no more than `failures` failures among them show `reliability` at `confidence`."""
    if not 0.0 < reliability < 1.0:
        raise ValueError(f"a reliability of {reliability} can never be shown: it must lie between 0 and 1")
    _check(0, failures, confidence)

    def shown(n: int) -> bool:
        return binomial_tail(n - failures, n, reliability) <= 1.0 - confidence

    enough = failures + 1
    while not shown(enough):
        enough *= 2
        if enough > MOST_TRIALS:
            raise ValueError(f"a reliability of {reliability} needs more trials than anybody can make")
    least = max(failures, enough // 2)
    while enough - least > 1:
        middle = (least + enough) // 2
        if shown(middle):
            enough = middle
        else:
            least = middle
    return enough


def _check(successes: int, trials: int, confidence: float) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials cannot be")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence} cannot be had: it must lie between 0 and 1")
