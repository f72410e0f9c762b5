"""Listeners: what a run tells becomes lines, JSON or JUnit XML. What comes from a receiver is never trusted here."""
