"""Moment-matching generators."""
