"""Published checkpoints of the CodeGeeX family, rewritten once as transformers' layout."""
