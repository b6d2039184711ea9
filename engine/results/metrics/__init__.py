"""Measures of answers: words, overlap, labels, structure, patterns, and checks of the user's own. Pure, no ML library.

`measures.py` is the table of all of them; the other modules compute.
"""
