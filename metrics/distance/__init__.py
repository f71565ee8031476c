"""Distances between samples and reference."""
