"""The version, for all modules that print it."""

__version__ = "0.2.0"
