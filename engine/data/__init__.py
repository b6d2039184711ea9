"""From a file to bytes a model can be trained on: detect, read, map, convert, split, keep, render, prepare, preview.

Knows nothing of plans, runs or screens. Heavy functions are plain and run in a spawned process through `service`;
polars, tokenizers and jinja2 are imported only there.
"""
