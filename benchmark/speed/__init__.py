"""The metrics timed against other libraries in the same run."""
