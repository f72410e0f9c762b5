"""One POST and how it ended, and the retries of a delivery."""
