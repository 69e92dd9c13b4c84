"""What is done to a model's text before a person sees it: one filter, one fault."""
