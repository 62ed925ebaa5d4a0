"""The rules of orchestrators and runs as plain Python: no I/O, no framework, no clock."""
