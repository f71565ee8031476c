"""Samplers of an unnormalised density: they learn from its reward, not from samples."""
