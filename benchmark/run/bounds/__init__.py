"""Bounds of likelihoods that trained models are asked for afterwards."""
