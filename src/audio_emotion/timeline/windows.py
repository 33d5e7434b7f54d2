"""Windows of a speech region that the model predicts."""

from ..inference.vad import RATE, SpeechRegion

MIN_DUR = 0.1  # s of speech that are worth a prediction


class Windows:
    """Windows inside speech regions, in samples at `RATE`.

    There is one every `hop` from the start of a region, and one flush with its end.  A region that
    is shorter than a window is one window.

    Args:
        win_dur: seconds of a window.
        hop_dur: seconds between two windows.
    """

    def __init__(self, win_dur: float, hop_dur: float) -> None:
        self.window, self.hop = round(win_dur * RATE), round(hop_dur * RATE)
        self._next: int | None = None

    def of(self, region: SpeechRegion, available: int) -> list[tuple[int, int]]:
        """Return the new windows, now that samples up to `available` have arrived."""
        begin = region.start if self._next is None else self._next
        until = available if region.end is None else region.end
        spans = []
        while begin + self.window <= until:
            spans.append((begin, begin + self.window))
            begin += self.hop
        self._next = begin
        if region.end is None:
            return spans
        self._next = None
        reached = begin - self.hop + self.window if begin > region.start else region.start
        if reached < until and until - region.start >= MIN_DUR * RATE:
            spans.append((max(region.start, until - self.window), until))
        return spans

    def needed(self, available: int) -> int:
        """Return the first sample that a later window may need."""
        earliest = available - self.window
        return earliest if self._next is None else min(self._next, earliest)
