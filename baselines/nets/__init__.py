"""Nets: they know no probability."""
