"""The contract, the tasks, the suites and the harness."""
