"""dgmbench: every family of deep generative model, one harness, an error bar on every number."""

__version__ = "0.1.0"
