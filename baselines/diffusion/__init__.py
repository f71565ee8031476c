"""Diffusion models. Time t = 0 is data, t = 1 is noise."""
