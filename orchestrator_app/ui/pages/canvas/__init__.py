"""The editor: an orchestrator drawn, configured, run and watched."""
