"""What an editor needs around a picture: formats, icon sets, palettes, contact sheets."""
