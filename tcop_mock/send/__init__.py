"""Delivers callbacks as TCOP does: ``http`` sends once and says how it ended, ``deliver`` pushes again by rules."""
