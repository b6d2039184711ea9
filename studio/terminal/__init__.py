"""The command line: one module for each family of commands, and their drawing. Their table is in studio/cli.py."""
