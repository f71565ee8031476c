"""Generative flow networks."""
