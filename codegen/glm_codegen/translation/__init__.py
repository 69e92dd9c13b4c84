"""Translation of code: what one unit of source becomes for a model, and what comes back of it."""
