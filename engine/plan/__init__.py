"""From a wish to a complete plan: hardware, base models, profiles, defaults with their reasons, estimates, checks.

Pure and fast, except the looking at hardware and model folders. Knows nothing of running: what leaves it is a RunSpec.
"""
