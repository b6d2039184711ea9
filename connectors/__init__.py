"""Connectors to other people's platforms, one file each. None is built yet; the app works without any."""
