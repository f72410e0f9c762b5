"""What users bring: JSON bodies, captures, curl commands, HAR files, recordings."""
