"""Exports: a trained version written in another form, and the proof that it answers the same. A file per form."""
