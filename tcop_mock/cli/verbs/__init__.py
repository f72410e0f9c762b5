"""The outside of the verbs: arguments, flags and help, and nothing of the work."""
