"""Anomaly detectors: pure functions over what a run reports. No I/O, no engine; shipped to the worker."""
