"""Sums, neighbours, spectra, threads: what several metrics compute."""
