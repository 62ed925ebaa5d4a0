"""The history of runs, over all orchestrators and platforms."""
