"""What keeps secrets secret and calls where they belong: network guard, vault, tokens, redaction, JSON reading."""
