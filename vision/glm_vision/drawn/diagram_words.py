"""What drawn diagrams share: words, colours, and where a line leaves a box."""

from __future__ import annotations

import math

Box = tuple[int, int, int, int]
LABELS = (
    *("Start", "End", "Load", "Save", "Parse", "Check", "Send", "Read", "Build", "Test", "Run"),
    *("Cache", "Queue", "Retry", "Login", "Index", "Fetch", "Merge", "Sort", "Lexer", "Model"),
    *("Client", "Server", "Router", "Worker", "Store", "Filter", "Render", "Deploy", "Config"),
)
MESSAGES = (
    *("get page", "send file", "ask model", "return rows", "ok", "login", "token", "not found"),
    *("open", "close", "read line", "write log", "ping", "pong", "retry later", "load user"),
    *("save()", "fetch(id)", "hello", "error 404", "200 OK", "query", "result", "commit"),
)
CLASSES = (
    *("User", "Order", "Item", "Account", "Engine", "Vehicle", "Car", "Shape", "Circle", "Square"),
    *("Parser", "Token", "Reader", "Writer", "Cache", "Server", "Client", "Request", "Session"),
    *("HttpClient", "FileStore", "TreeNode", "Animal", "Dog", "Button", "Window", "Model"),
)
MEMBERS = (
    *("+name: str", "+id: int", "-size: int", "+open()", "+close()", "+run(task)", "-items: list"),
    *("+save()", "+load(path)", "#state: int", "+total: float", "+draw()", "-buffer: bytes"),
    *("+is_open: bool", "+next()", "+read(count)", "-parent: Node", "+width: int", "+add(item)"),
)
GROUNDS = (
    ((255, 255, 255), (60, 60, 60), (236, 236, 255)),
    ((250, 250, 245), (20, 20, 20), (255, 255, 255)),
    ((255, 255, 255), (147, 112, 219), (236, 236, 255)),
    ((32, 34, 40), (200, 205, 210), (50, 54, 64)),
)


def border_point(box: Box, towards: Box) -> tuple[float, float]:
    """Where the line between two boxes' middles crosses the first one's border."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    dx, dy = (towards[0] + towards[2]) / 2 - x, (towards[1] + towards[3]) / 2 - y
    reach_x = (box[2] - box[0]) / 2 / abs(dx) if dx else math.inf
    reach_y = (box[3] - box[1]) / 2 / abs(dy) if dy else math.inf
    reach = min(reach_x, reach_y)
    return x + dx * reach, y + dy * reach
