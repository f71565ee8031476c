"""From a suite to records: plan, train, probe, score, store."""
