"""Whether a start goes on, however slow the machine: parts become healthy, or those that are awaited work."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import psutil

GIVE_UP_S = 900.0  # a start takes that long before anybody asks whether it goes on
STILL_S = 300.0
AT_MOST_S = 3600.0  # what works for ever, such as a part that starts again and again, is not awaited
_WORK_S = 10.0  # what only waits takes less in STILL_S, what starts takes all that it gets


class StartProgress:
    """When something last moved, in seconds since the start."""

    def __init__(self) -> None:
        self.moved_s = 0.0
        self._waiting: frozenset[str] = frozenset()
        self._worked_s = 0.0

    def note(self, now_s: float, waiting: Collection[str], worked_s: float) -> None:
        """Say which parts are awaited, and how much processor time they and what runs before them have had."""
        if frozenset(waiting) != self._waiting or worked_s - self._worked_s >= _WORK_S:
            self.moved_s, self._waiting, self._worked_s = now_s, frozenset(waiting), worked_s
        self._worked_s = min(worked_s, self._worked_s)  # a process began anew

    def is_given_up(self, now_s: float) -> bool:
        """Whether it has taken long and nothing moves any more, or far too long."""
        return now_s > AT_MOST_S or (now_s > GIVE_UP_S and now_s - self.moved_s > STILL_S)


def worked_s(pids: Iterable[int]) -> float:
    """Processor time of processes and their descendants, also of those that have ended."""
    seconds = 0.0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
        for each in family:
            try:
                seconds += sum(each.cpu_times()[:4])
            except psutil.Error:
                continue
    return seconds
