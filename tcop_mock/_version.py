"""The version, where everything that tells it can reach it."""

__version__ = "0.2.0"
