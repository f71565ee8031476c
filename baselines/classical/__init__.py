"""Classical density estimators."""
