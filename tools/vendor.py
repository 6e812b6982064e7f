"""Renew what the site and the slides bring along from others, so that they need no network.

    python tools/vendor.py

Each package is taken from npm, which `npm pack` does by itself; what arrives must have the SHA-512
below. Only what a page needs is kept, as its authors published it, with the licence.
tools/vendored.json then holds the SHA-256 of every file, to which a test holds them. To go to a
newer version, change both lines.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tools" / "vendored.json"
# {folder: (package, SHA-512 as npm states it, which of its files)}; "dist/" is left out of paths.
PACKAGES = {
    "docs/_static/vendor/katex": (
        "katex@0.19.1",
        "jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA==",
        r"LICENSE|dist/(katex\.min\.(css|js)|contrib/auto-render\.min\.js|fonts/.*\.woff2)",
    ),
    "tools/reveal/vendor": (
        "reveal.js@6.0.2",
        "JYIg5D9aoxoaLeb84O+OvAwsKWdIavVgEDScxtYEXFCT6t6TQrhNtSgogcjdCpdLsWglhJn3zyE3fUOwiH5KEg==",
        r"LICENSE|dist/(reset\.css|reveal\.css|reveal\.js|plugin/notes\.js)",
    ),
}


def main() -> None:
    listed = {}
    for where, (package, sha512, kept) in PACKAGES.items():
        files = fetch(package, sha512, kept)
        shutil.rmtree(ROOT / where, ignore_errors=True)
        for name, content in files.items():
            path = ROOT / where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
        listed[where] = {"package": package, "sha512": sha512, "files": hashes}
    LIST.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def fetch(package: str, sha512: str, kept: str) -> dict[str, bytes]:
    """{path: content} of the files of a package that are kept."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, package]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        packed = Path(folder) / done.stdout.split()[-1]
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if digest != sha512:
            sys.exit(f"{package} has the SHA-512 {digest}, not the one that is expected")
        with tarfile.open(packed) as archive:
            members = {m.name.removeprefix("package/"): m for m in archive.getmembers()}
            wanted = [name for name in members if re.fullmatch(kept, name)]
            return {
                name.removeprefix("dist/"): archive.extractfile(members[name]).read()
                for name in wanted
            }


if __name__ == "__main__":
    main()
