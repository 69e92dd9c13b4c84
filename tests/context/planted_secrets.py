"""Secrets made up anew from a seed, and the lines that a careless person writes them in."""

from __future__ import annotations

import base64
import random
import string
from pathlib import Path

ROUNDS = 7  # times each place, so that there are 200 in all
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def word(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def password(rng: random.Random) -> str:
    """Letters, a digit and a sign somewhere, as people choose them."""
    return (
        f"{word(rng, string.ascii_letters, 6)}{rng.randrange(10, 99)}{rng.choice('!-_.')}"
        + word(rng, ALNUM, 4)
    )


def token(rng: random.Random, kind: str) -> str:
    """A secret of a well-known form."""
    made = {
        "aws": lambda: "AKIA" + word(rng, string.ascii_uppercase + string.digits, 16),
        "github": lambda: "ghp_" + word(rng, ALNUM, 36),
        "gitlab": lambda: "glpat-" + word(rng, ALNUM, 20),
        "slack": lambda: "xoxb-" + word(rng, string.digits, 12) + "-" + word(rng, ALNUM, 24),
        "openai": lambda: "sk-" + word(rng, ALNUM, 48),
        "stripe": lambda: "sk_live_" + word(rng, ALNUM, 24),
        "google": lambda: "AIza" + word(rng, ALNUM, 35),
        "npm": lambda: "npm_" + word(rng, ALNUM, 36),
        "huggingface": lambda: "hf_" + word(rng, ALNUM, 34),
        "sendgrid": lambda: "SG." + word(rng, ALNUM, 22) + "." + word(rng, ALNUM, 43),
        "discord": lambda: "M" + word(rng, ALNUM, 23) + "." + word(rng, ALNUM, 6) + "."
        + word(rng, ALNUM, 30),
        "age": lambda: "AGE-SECRET-KEY-1" + word(rng, string.ascii_uppercase + string.digits, 58),
        "jwt": lambda: "eyJ" + word(rng, ALNUM, 30) + ".eyJ" + word(rng, ALNUM, 60) + "."
        + word(rng, ALNUM, 43),
        "telegram": lambda: word(rng, "123456789", 9) + ":AA" + word(rng, ALNUM, 33),
        "azure": lambda: base64.b64encode(rng.randbytes(64)).decode(),
        "hex": lambda: word(rng, HEX, 8) + "0a1b2c3d4e5f" + word(rng, HEX, 12),
    }  # fmt: skip
    return made[kind]()


# (file, language's line with {} for the secret, kind)
PLACES: tuple[tuple[str, str, str], ...] = (
    ("app/aws.py", 'client = boto3.client("s3", aws_access_key_id="{}")', "aws"),
    ("app/github.py", 'HEADERS = {{"Authorization": "token {}"}}', "github"),
    ("ci/gitlab.sh", "curl --header PRIVATE-TOKEN:{} https://example.org/api", "gitlab"),
    ("app/slack.ts", "const slack = new Slack('{}');", "slack"),
    ("app/model.py", "openai.api_key = '{}'  # remove me", "openai"),
    ("app/Pay.java", 'Stripe.apiKey = "{}";', "stripe"),
    ("web/map.html", '<script src="https://maps.example/js?key={}"></script>', "google"),
    ("ci/publish.yml", "      run: npm publish --token {}", "npm"),
    ("app/hub.py", "login(token='{}')", "huggingface"),
    ("app/mail.go", 'client := sendgrid.New("{}")', "sendgrid"),
    ("app/bot.rb", "bot.run '{}'", "discord"),
    ("ops/age.sh", "echo {} > key.txt", "age"),
    ("app/session.js", "const jwt = `{}`;", "jwt"),
    ("app/telegram.py", 'Bot("{}")', "telegram"),
    ("app/store.cs", 'var c = "DefaultEndpointsProtocol=https;AccountKey={};";', "azure"),
    ("app/sign.go", 'signingKey := "{}"', "hex"),
    ("app/config.py", 'API_TOKEN = "{}"', "hex"),
    ("app/config.toml", 'secret_key = "{}"', "hex"),
    ("app/login.py", 'connect(user="root", password="{}")', "password"),
    ("app/db.yaml", "  password: {}", "password"),
    ("app/plain.sh", "export DB_PASSWORD={}", "password"),
    ("app/url.py", 'engine = create_engine("postgres://root:{}@db.local/main")', "password"),
    ("app/settings.xml", "<entry><password>{}</password></entry>", "password"),
    ("app/keys.php", "$config['db_password'] = '{}';", "password"),
    ("app/conf.rs", 'let db_password: &str = "{}";', "password"),
)


def secret(rng: random.Random, kind: str) -> str:
    return password(rng) if kind == "password" else token(rng, kind)


def private_key(rng: random.Random) -> tuple[str, list[str]]:
    """A key in PEM and its lines, none of which may appear."""
    lines = [base64.b64encode(rng.randbytes(48)).decode() for _ in range(4)]
    kind = "PRIVATE KEY"
    return f"-----BEGIN {kind}-----\n" + "\n".join(lines) + f"\n-----END {kind}-----", lines


class Plot:
    """A workspace with secrets in it. `ordinary` stand in source files, others in whole files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.secrets: list[str] = []
        rng = random.Random(20)
        for number in range(ROUNDS):
            for file, line, kind in PLACES:
                made = secret(rng, kind)
                self.secrets.append(made)
                self._write(f"m{number}/{file}", line.format(made))
        for name in (".env", "deploy.env", "id_rsa", "server.pem", "secrets.yaml", ".npmrc"):
            for number in range(3):
                made = secret(rng, "password")
                self.secrets.append(made)
                self._write(f"m{number}/{name}", f"SHARED_VALUE={made}")
        (root / ".gitignore").write_text("private/\n*.local.py\n")
        (root / ".glmignore").write_text("/generated\n")
        for name in ("private/a.py", "x.local.py", "generated/b.py"):
            made = secret(rng, "password")
            self.secrets.append(made)
            self._write(name, f"unique_marker_{len(self.secrets)} = '{made}'")
        pem, lines = private_key(rng)
        self.secrets += lines
        self._write("m0/app/tls.py", f'KEY = """{pem}"""')

    def _write(self, name: str, line: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"def shared_helper_function(value):\n    return value\n\n\n{line}\n\n\n"
            f"def use_shared_helper(value):\n    return shared_helper_function(value)\n"
        )


def leaked(text: str, plot: Plot) -> list[str]:
    """Planted secrets in a text, also as the index would write them (lower case)."""
    lower = text.lower()
    return [made for made in plot.secrets if made in text or made.lower() in lower]
