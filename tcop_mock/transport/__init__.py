"""Sends one request and returns its outcome; retries deliveries."""
