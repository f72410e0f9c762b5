"""Readers of users' files: JSON bodies, captures, curl commands, HAR files, recordings."""
