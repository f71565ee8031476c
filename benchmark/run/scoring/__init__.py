"""From the answers of a model to scores."""
