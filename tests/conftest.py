"""What all tests have in common."""

from hypothesis import settings

settings.register_profile(
    "repeatable",
    deadline=None,  # no test times what it tests: a machine may be busy
    derandomize=True,  # coverage must not depend on luck; `pytest --hypothesis-profile=default` looks elsewhere
)
settings.load_profile("repeatable")
