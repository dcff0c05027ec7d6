"""How many examples the tests of properties look at: few in every run, many with HYPOTHESIS_PROFILE=long, and
HYPOTHESIS_EXAMPLES=2000 says how many.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "short",
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_MANY = int(os.environ.get("HYPOTHESIS_EXAMPLES", "20000"))  # noqa: TID251 - a setting of the tests
settings.register_profile("long", settings.get_profile("short"), max_examples=_MANY)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))  # noqa: TID251 - a setting of the tests
