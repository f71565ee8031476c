"""Comparisons with a law that is known exactly."""
