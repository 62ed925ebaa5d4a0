"""Benchmarks of the whole program against the plain calls that it makes; see docs/benchmarks.md."""
