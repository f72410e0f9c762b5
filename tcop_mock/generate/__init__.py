"""Seed, shape and state give a callback: the same bytes on every machine and in every process."""

from tcop_mock.generate.generator import Generator

__all__ = ["Generator"]
