"""A receiver that tcop-mock starts and ends: its command, its process, its output."""
