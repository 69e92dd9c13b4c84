"""What a model may see of a workspace: syntax, index, ranking, secrets. No torch, no tokens."""
