"""What a connector must offer and how it is found. Nothing connects to a platform yet: everything here is local."""
