"""The test kit, for users and for us: scenarios of events and commands, and a clock that a test turns."""

from foldline.testing.clock import ManualClock
from foldline.testing.scenario import Scenario, given

__all__ = ["ManualClock", "Scenario", "given"]
