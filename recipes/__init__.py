"""How each small model of the project was made, from corpus to weights; no part of serving."""
