"""Renew what the site brings along from others, so that it is built with no network.

    python tools/vendor.py

KaTeX is taken from npm, which `npm pack` does by itself; what arrives must have the SHA-512 below.
Only what a page needs is kept, with the licence. To go to a newer version, change both lines.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

KATEX = "katex@0.19.1"
SHA512 = "jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA=="
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "_static" / "vendor" / "katex"
KEPT = ("dist/katex.min.js", "dist/katex.min.css", "LICENSE")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, KATEX]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        packed = Path(folder) / done.stdout.split()[-1]
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if digest != SHA512:
            sys.exit(f"{KATEX} has the SHA-512 {digest}, not the one that is expected")
        with tarfile.open(packed) as archive:
            _unpack(archive)


def _unpack(archive: tarfile.TarFile) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for member in archive.getmembers():
        name = member.name.removeprefix("package/")
        font = name.startswith("dist/fonts/") and name.endswith(".woff2")
        if name in KEPT or font:
            path = FOLDER / name.removeprefix("dist/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.extractfile(member).read())


if __name__ == "__main__":
    main()
