"""Observers: how the harness sees what a receiver does behind its answers."""
