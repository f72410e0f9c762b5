"""Plays contracts and deliveries through the ``Post`` port and yields events; printing is somebody else's work."""
