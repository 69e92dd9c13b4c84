"""What the model is given beside the open file, and what is kept from it.

A small shop is written to a temporary folder, with a password in one of its files.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from glm_lsp.cli.main import dispatch

FILES = {
    ".git/HEAD": "ref: refs/heads/main\n",
    ".gitignore": "build/\n",
    "build/generated.py": "def total_price_of_generated_code(): ...\n",
    ".env": "SHOP_PASSWORD=tulip-4711-garden\n",
    "shop/basket.py": '''class Basket:
    """What a customer wants to buy."""

    def __init__(self, items):
        self.items = items

    def total_price(self, discount_rate: float) -> float:
        return sum(item.price for item in self.items) * (1 - discount_rate)

    def heaviest(self):
        return max(self.items, key=lambda item: item.weight)
''',
    "shop/mail.py": """def send_invoice(customer, basket):
    connect(user="shop", password="tulip-4711-garden")
    return customer.address
""",
    "till.py": """from shop.basket import Basket
from shop.mail import send_invoice


def pay(customer, basket: Basket):
    send_invoice(customer, basket)
    return basket.""",
}


def play(_: Path) -> None:
    """Ask what a model would be given at the end of the last file."""
    print("\nwhat the model is given at the end of till.py, beside the file itself:\n")
    with tempfile.TemporaryDirectory(prefix="glm-demo-shop-") as folder:
        for name, text in FILES.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        till = Path(folder) / "till.py"
        dispatch(["context", str(till), "--line", "7", "--column", "19"])
    print("\n.env and build/ were never opened; the password went nowhere.")
