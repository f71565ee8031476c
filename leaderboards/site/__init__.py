"""One offline site over several suites."""
