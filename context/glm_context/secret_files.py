"""Files that hold secrets by their very name: never read, indexed, sent or completed in."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

_FOLDERS = frozenset({".git", ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".gcloud", ".docker"})
_NAMES = frozenset(
    {
        *(".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials"),
        *("kubeconfig", "credentials", "credentials.json", "secrets.json", "secrets.yml"),
        *("secrets.yaml", "secrets.toml", "vault.yml", "master.key", ".my.cnf", ".envrc"),
        *("application_default_credentials.json", "terraform.tfvars", ".vault-token"),
    }
)
_ENDINGS = (
    *(".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".asc", ".gpg"),
    *(".tfstate", ".tfvars", ".ovpn", ".keytab", ".p8", ".der", ".tfstate.backup"),
)
_SHAPES = (".env", ".env.*", "*.env", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
           "service-account*.json", "*.secret", "*.secrets")  # fmt: skip


def is_secret_file(path: str) -> bool:
    """Whether the file of this (relative or absolute) path is never to be looked into."""
    pure = PurePosixPath(path.replace("\\", "/"))
    name = pure.name.lower()
    if any(part in _FOLDERS for part in pure.parts):
        return True
    if name in _NAMES or name.endswith(_ENDINGS):
        return not name.endswith(".pub")
    return any(fnmatchcase(name, shape) for shape in _SHAPES) and not name.endswith(".pub")
