"""The language server: light, one per editor, no torch. Asks the daemon over HTTP."""
