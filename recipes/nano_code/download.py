"""Fetch the wanted packages by name with the ordinary clients; not what is kept of them.

`python -m recipes.nano_code.download` fills `out/downloads/<registry>__<name>/`. It is resumable:
a folder that holds `DONE` is left alone. A package that its registry refuses is noted in
`FAILED` and skipped. Versions met in an earlier `corpus.tsv` are asked for again first.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recipes.nano_code.package_table import WantedPackage, read_got, read_wanted

OUT = Path(__file__).parent.parent / "out" / "nano_code"
DOWNLOADS = OUT / "downloads"
SYSTEM_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
TIMEOUT_S = 240


def run(command: list[str], folder: Path) -> str:
    """Run one client in `folder`; the end of its error text, or '' when it went well."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S} s"
    return "" if done.returncode == 0 else (done.stderr or done.stdout)[-800:] or "failed"


def apt_options(home: Path) -> list[str]:
    """Options that give apt its own lists with source packages, leaving the system's alone."""
    return [
        f"-oDir::Etc::sourcelist={home}/none",
        f"-oDir::Etc::sourceparts={home}/sources.list.d",
        f"-oDir::State::Lists={home}/lists",
        f"-oDir::Cache={home}/cache",
        "-oAPT::Sandbox::User=root",
    ]


def prepare_apt(home: Path) -> None:
    """Write the private apt set-up from the system's own and read the package lists once."""
    if (home / "DONE").exists():
        return
    for part in ("sources.list.d", "lists/partial", "cache/archives/partial"):
        (home / part).mkdir(parents=True, exist_ok=True)
    text = SYSTEM_SOURCES.read_text(encoding="utf-8")
    both = re.sub(r"(?m)^Types: deb$", "Types: deb deb-src", text)
    (home / "sources.list.d" / "debian.sources").write_text(both, encoding="utf-8")
    problem = run(["apt-get", *apt_options(home), "-q", "update"], home)
    if problem:
        raise RuntimeError(f"apt lists could not be read: {problem}")
    (home / "DONE").write_text("")


def client_command(package: WantedPackage, version: str) -> list[str]:
    """The client's command line for one package, of `version` where that is not empty."""
    name = package.name
    if package.registry == "pypi":
        wanted = f"{name}=={version}" if version else name
        return [
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps"),
            *("--disable-pip-version-check", wanted),
        ]
    if package.registry == "npm":
        return ["npm", "pack", "--silent", f"{name}@{version}" if version else name]
    wanted = f"{name}={version}" if version else name
    apt = ["apt-get", *apt_options((OUT / "apt").absolute()), "-q"]
    if package.registry == "debian":
        return [*apt, "download", wanted]
    return [*apt, "source", "--download-only", wanted]


def fetch(package: WantedPackage, version: str) -> str:
    """Fetch one package into its folder; one line that says how it went."""
    folder = DOWNLOADS / package.folder
    if (folder / "DONE").exists() or (folder / "FAILED").exists():
        return f"{package.folder}: there"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    problem = run(client_command(package, version), folder)
    if problem and version:
        problem = run(client_command(package, ""), folder)
    (folder / ("FAILED" if problem else "DONE")).write_text(problem, encoding="utf-8")
    return f"{package.folder}: {problem.strip().splitlines()[-1] if problem else 'ok'}"


def main() -> None:
    """Fetch everything that is not there yet, six at a time."""
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    wanted = read_wanted()
    versions = {(row.registry, row.name): row.version for row in read_got()}
    if any(package.registry.startswith("debian") for package in wanted):
        prepare_apt((OUT / "apt").absolute())
    os.environ["NPM_CONFIG_UPDATE_NOTIFIER"] = "false"
    with ThreadPoolExecutor(max_workers=6) as pool:
        jobs = [
            pool.submit(fetch, package, versions.get((package.registry, package.name), ""))
            for package in wanted
        ]
        for number, job in enumerate(jobs, start=1):
            print(f"[{number}/{len(jobs)}] {job.result()}", flush=True)


if __name__ == "__main__":
    main()
