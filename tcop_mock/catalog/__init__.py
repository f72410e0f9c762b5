"""The catalogue: entries, profiles, pools of names, and how their files are read."""
