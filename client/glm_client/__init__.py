"""The client of the daemon: finds or starts it, shakes hands, sends requests, reads the answers."""
