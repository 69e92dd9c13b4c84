"""One engine each, run in a process of its own by `player_process`; see `player.py`."""
