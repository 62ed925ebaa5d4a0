"""The world outside, for tests: one real HTTP server with a part for each kind of platform."""
