"""A clock that jumps, falls back and stands still, and is put right again."""

from counterfoil.engine.clock import HostClock
from tests.support import SECOND, START

DAY = 86_400 * SECOND
BEHIND_MAX = 5 * SECOND

# No fault: nobody looks at the clock for days.
PASSES = "days pass"
JUMPS = "clock jumps forward"
STRAYS = "clock jumps forward and is put right"
LAGS = "clock falls back by less than 5 s"
FALLS = "clock falls back by more than 5 s and is put right"
STANDS = "clock stands still"
KINDS = (PASSES, JUMPS, STRAYS, LAGS, FALLS, STANDS)

# How far it then stands from where it stood, at least and at most.
_FAR = {
    PASSES: (DAY, 20 * DAY),
    JUMPS: (6 * SECOND, 40 * DAY),
    STRAYS: (6 * SECOND, 40 * DAY),
    LAGS: (-4 * SECOND, -1),
    FALLS: (-DAY, -6 * SECOND),
}
_TICK = 50_000
# What is wrong for a while is so for up to so many looks.
_LOOKS = 25


class Clock:
    """The world's clock, in microseconds; time passes when somebody looks at it.

    Attributes:
        disturbed: whether it was set, so that who watches it may refuse to work.
    """

    def __init__(self, world):
        self._world = world
        self._right = START
        self._wrong_by = 0
        self._right_in = 0
        self._stands_for = 0
        self._steady = 0
        self._furthest = START
        self.disturbed = False

    def look(self):
        """Return what the clock shows."""
        self._pass()
        shown = self._right + self._wrong_by
        self._furthest = max(self._furthest, shown)
        return shown

    def host_clock(self):
        """Return what a process on this host sees that watches the clock, from now on."""
        return HostClock(lambda: self.look() * 1_000, lambda: self._steady * 1_000)

    def put_right(self):
        """Show the right time again; what was recorded while it was wrong may lie in the future now."""
        self._wrong_by = self._right_in = self._stands_for = 0

    def catch_up(self):
        """Show what lies behind everything that was ever shown, for all that was recorded to lie in the past."""
        self._right = self._furthest
        self.disturbed = False

    def wait(self, microseconds):
        """Let time pass."""
        self._right += microseconds
        self._steady += microseconds

    def _pass(self):
        tick = self._world.chance.randrange(_TICK)
        self._steady += tick
        if self._stands_for:
            self._stands_for -= 1
        else:
            self._right += tick
        if self._right_in:
            self._right_in -= 1
            if not self._right_in:
                self.put_right()
        elif (kind := self._world.draw("clock")) is not None:
            self._world.strike(kind)
            self._disturb(kind)

    def _disturb(self, kind):
        chance = self._world.chance
        while_wrong = chance.randrange(1, _LOOKS)
        if kind == STANDS:
            self._stands_for = while_wrong
            return
        by = chance.randrange(_FAR[kind][0], _FAR[kind][1] + 1)
        if kind == PASSES:
            self._right += by
            self._steady += by
            return
        self.disturbed = True
        if kind in (STRAYS, FALLS):
            self._wrong_by = by
            self._right_in = while_wrong
        else:
            # Nobody ever puts it right: from now on this is the time.
            self._right += by
