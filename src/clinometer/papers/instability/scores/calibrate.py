"""From scores on healthy runs to the threshold of a stated rate of false alarms, also where few or none were seen.

The largest score in each span of 50 healthy steps is a peak: an alert gives one alarm or none in such a span. With N
healthy steps, as many peaks exceed the threshold of a rate as false alarms are expected, m = rate · N / 10,000. Where m
is at least TAIL, that is a matter of counting. Below, peaks beyond the TAIL-th largest are taken to fall off
exponentially in asinh(score), that is exponentially in small scores and as a power in large ones,

    asinh(u(m)) = asinh(x_T) + σ · log(T/m),    σ = mean of asinh(x_i) − asinh(x_T) over the T largest,

where x_T is the largest peak that is not among these T. σ is the maximum-likelihood estimate, and its standard error is
σ/√T. Why so: robust scores of training signals have tails as heavy as a power of the score, and a Gaussian tail would
promise rates that no run keeps. A rate that is far below 10,000/N is an extrapolation, and is called so.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.papers.instability.scores.score import PER
from clinometer.results.run_table import Floats

TAIL = 10  # peaks from which the tail is estimated


@dataclass(frozen=True)
class Curve:
    """How many false alarms per 10,000 healthy steps a threshold gives."""

    peaks: Floats  # (n,) falling
    steps: int  # healthy ones in which the quantity was measured

    def threshold(self, rate: float) -> float:
        """The threshold that gives this rate; infinite without a peak.

        Args:
            rate: In false alarms per 10,000 healthy steps, above 0.

        Example:
            >>> peaks = np.sinh(np.linspace(5, 0, 101))                # 100 spans of 50 steps, and one more
            >>> curve = Curve(peaks, 5_000)
            >>> bool(curve.threshold(100) == peaks[50]), bool(curve.threshold(1) > peaks[0])
            (True, True)
        """
        expected = rate * self.steps / PER
        if not len(self.peaks):
            return math.inf
        if expected >= TAIL:
            return float(self.peaks[min(int(expected), len(self.peaks) - 1)])
        start, scale = self._tail
        return math.sinh(min(700.0, start + scale * math.log(self._in_tail / expected)))

    def rates(self, thresholds: Floats) -> Floats:
        """The rate that each threshold gives: the inverse, (n,); infinite without a peak, which no score beats."""
        if not len(self.peaks):
            return np.full(len(thresholds), np.inf)
        start, scale = self._tail
        beyond = self._in_tail * np.exp(-np.minimum(700.0, (np.arcsinh(thresholds) - start) / scale))
        counted = np.searchsorted(-self.peaks, -thresholds, side="left")
        return np.where(np.arcsinh(thresholds) >= start, beyond, counted) * PER / self.steps

    @property
    def _in_tail(self) -> int:
        return max(1, min(TAIL, len(self.peaks) - 1))

    @property
    def _tail(self) -> tuple[float, float]:
        """Where the tail begins, and its scale, both in asinh(score)."""
        if not len(self.peaks):
            return math.inf, 1.0
        count = self._in_tail
        top = np.arcsinh(self.peaks[: count + 1])
        return float(top[-1]), max(float((top[:-1] - top[-1]).mean()) if len(top) > 1 else 1.0, 1e-3)


def curve(healthy: Iterable[tuple[Floats, int]]) -> Curve:
    """The curve of an alert from its scores in healthy steps.

    Args:
        healthy: The peaks of each run in which the quantity was measured, and how many of its steps are healthy.
    """
    runs = list(healthy)
    peaks = np.concatenate([peaks for peaks, _ in runs]) if runs else np.empty(0)
    return Curve(np.sort(peaks)[::-1], sum(steps for _, steps in runs))


def overlap(runs: Iterable[Sequence[Floats]], curves: Sequence[Curve], steps: int) -> float:
    """How many times more often several alerts speak as one than each of them by itself, all at one rate.

    It lies between 1, where all speak at the same steps, and their number, where no two do. It is counted at the rate
    at which TAIL of the healthy spans have an alarm, and taken to be the same at lower ones.

    Args:
        runs: For each run the peaks of each member, (spans,) all alike.
        curves: Of each member.
        steps: Healthy ones of all runs.
    """
    rates = [np.min([its.rates(peaks) for its, peaks in zip(curves, run, strict=True)], axis=0) for run in runs]
    spans = np.sort(np.concatenate(rates)) if rates else np.empty(0)  # the least rate at which a member would speak
    if len(spans) <= TAIL or not 0 < spans[TAIL] < np.inf:
        return float(len(curves))
    return min(float(len(curves)), max(1.0, TAIL * PER / steps / float(spans[TAIL])))
