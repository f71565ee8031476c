"""Binary vectors and sequences."""
