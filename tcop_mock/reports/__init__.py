"""Listeners on the events of a run, and one renderer for each report format."""
