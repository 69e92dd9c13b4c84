"""`glm-lsp bench`: speed of the engine and of typing, measured on this machine."""
