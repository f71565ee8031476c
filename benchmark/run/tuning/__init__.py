"""Choosing the recipes of a suite on validation data."""
