"""What all tests have in common."""

import os

from hypothesis import settings

settings.register_profile(
    "repeatable",
    deadline=None,  # no test times what it tests: a machine may be busy
    derandomize=True,  # coverage must not depend on luck; `pytest --hypothesis-profile=default` looks elsewhere
)
settings.load_profile("repeatable")

# No test, and no command that one starts, is configured by whom it runs for.
for _name in [name for name in os.environ if name.startswith("TCOP_MOCK_")]:
    del os.environ[_name]
os.environ["TCOP_MOCK_CONFIG"] = os.devnull
