"""For how long the main thread was blocked: in Slicer, and in the tests' facade of it."""

import time


class Heartbeat:
    """A timer in the event loop that notes its largest gap: for how long the main thread was blocked.

    Use as a context manager around what is to be watched.

    Attributes:
        largestGapMs: between two beats, in ms; the interval of 5 ms is part of it.
        largestCpuMs: time that the main thread computed between two beats, in ms: the same where other programs take
            none of the cores.
        beats: how many there were.
    """

    INTERVAL_MS = 5

    def __init__(self):
        # Outside Slicer there is a qt only while the facade is installed.
        import qt

        self.largestGapMs, self.largestCpuMs, self.beats = 0.0, 0.0, 0
        self._timer = qt.QTimer()
        self._timer.setTimerType(qt.Qt.PreciseTimer)
        self._timer.connect("timeout()", self._beat)
        self._last, self._lastCpu = None, None

    def __enter__(self):
        self._last, self._lastCpu = time.perf_counter(), time.thread_time()
        self._timer.start(self.INTERVAL_MS)
        return self

    def __exit__(self, *_):
        self._timer.stop()
        self._beat()

    def _beat(self):
        now, cpu = time.perf_counter(), time.thread_time()
        self.largestGapMs = max(self.largestGapMs, 1000.0 * (now - self._last))
        self.largestCpuMs = max(self.largestCpuMs, 1000.0 * (cpu - self._lastCpu))
        self.beats += 1
        self._last, self._lastCpu = now, cpu
