"""The contract: task, model, evidence, record. It imports nothing else of ours."""
