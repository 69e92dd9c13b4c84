"""The `glm-lsp` command: one file per subcommand, imported on use."""
