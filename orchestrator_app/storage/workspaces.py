"""Who owns what is stored: one workspace, until accounts exist."""

DEFAULT_WORKSPACE = "default"
