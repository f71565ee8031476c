"""Processes of their own for cells, and how runs share the work."""
