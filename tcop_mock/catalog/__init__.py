"""The catalogue: entries, profiles and pools of names, and the readers of their files."""
