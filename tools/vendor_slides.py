"""Fetch what slides need in a browser, and the site for formulas, so that both work offline.

    python tools/vendor_slides.py

Writes tools/reveal/vendor/: files as their authors published them, with their licences, and
VENDORED.json with the version, the registry's own checksum of each package, and SHA-256 of each
file. Needs npm and the network; run it only to take a newer version.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "reveal" / "vendor"
LIST = FOLDER / "VENDORED.json"
# {package: (version, SHA-512 as npm states it, which of its files)}
PACKAGES = {
    "reveal.js": (
        "6.0.2",
        "JYIg5D9aoxoaLeb84O+OvAwsKWdIavVgEDScxtYEXFCT6t6TQrhNtSgogcjdCpdLsWglhJn3zyE3fUOwiH5KEg==",
        r"LICENSE|dist/(reset\.css|reveal\.css|reveal\.js|plugin/notes\.js)",
    ),
    "katex": (
        "0.19.1",
        "jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA==",
        r"LICENSE|dist/(katex\.min\.(css|js)|contrib/auto-render\.min\.js|fonts/.*\.woff2)",
    ),
}


def fetch(name: str, version: str, integrity: str, wanted: str) -> dict[str, bytes]:
    """{path: content} of the wanted files of a package.

    Raises:
        ValueError: what came is not what the checksum says.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != integrity:
            raise ValueError(f"{name} {version}: SHA-512 is {found}, not {integrity}")
        with tarfile.open(archive) as package:
            files = {member.name.partition("/")[2]: member for member in package.getmembers()}
            kept = {path: files[path] for path in files if re.fullmatch(wanted, path)}
            return {path: package.extractfile(member).read() for path, member in kept.items()}


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    listed = {}
    for name, (version, integrity, wanted) in PACKAGES.items():
        files = fetch(name, version, integrity, wanted)
        for path, content in files.items():
            place = FOLDER / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        hashes = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        listed[name] = {
            "version": version,
            "sha512": integrity,
            "files": dict(sorted(hashes.items())),
        }
    LIST.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
