"""Looks at the way from here to a receiver: what is in it, what that means for callbacks, what to do."""
