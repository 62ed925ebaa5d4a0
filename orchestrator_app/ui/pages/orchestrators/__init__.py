"""The list of orchestrators."""
