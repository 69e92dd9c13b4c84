"""How each small model of the project was made, from corpus to weights. Not imported at run time."""
