"""Benchmarks: run one with `python -m bench.NAME` inside build/, or all with `python build/bench/run.py`.

Each prints a table and one line of JSON. Ratios stand beside a yardstick measured in the same run.
"""
