"""Checks of the path from this machine to a receiver: what was observed, what it means for callbacks, what to do."""
