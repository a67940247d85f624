"""Bytes that are allocated, by torch's own profiler."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile


def peak(work: Callable[[], object]) -> int:
    """The most bytes that were allocated at once beyond what was there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        work()
    events = [e for e in found.profiler.kineto_results.events() if e.name() == "[memory]"]
    total = highest = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        total += event.nbytes()
        highest = max(highest, total)
    return highest
