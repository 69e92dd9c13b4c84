"""Pictures drawn here whose right answers are known: for evaluation, and for the recipe."""
