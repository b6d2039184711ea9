"""Home, store, topics, errors, settings and logs: what any local app of this shape needs.

Knows nothing of fine-tuning.
"""
