"""The sanity checks of fidelity and diversity metrics."""
