"""The nouns that cross a process line: RunSpec and its parts, samples, events, exit codes, metrics ring, prepared data.

Shipped to the worker on every machine; imports only the standard library and msgspec, and nothing of the engine.
"""
