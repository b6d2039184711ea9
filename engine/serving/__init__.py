"""Talking to models: the model host's client and playground sessions. Knows no ML library."""
