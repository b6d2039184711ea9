"""Versions, evaluation and the statistics behind every "better". Works on files that runs left; no ML library."""
