"""How nano-vision is made: pictures drawn here, one curriculum, 8-bit weights."""
