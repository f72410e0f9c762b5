"""What all tests have in common."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # no test times what it tests: a machine may be busy
settings.load_profile("unhurried")
