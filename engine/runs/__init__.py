"""Runs: launching workers, following them, telling them things, and the queue. Knows no ML library."""
