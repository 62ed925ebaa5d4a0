"""The connections to platforms."""
