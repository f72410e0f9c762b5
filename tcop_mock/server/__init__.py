"""Our own HTTP receiver, its faults, and stubs of third-party services."""
