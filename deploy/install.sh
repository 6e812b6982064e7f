#!/bin/sh
# Installs the course for all students of a server, from a checkout of the repository:
#
#     deploy/install.sh                          with the `python` of an image or an environment
#     deploy/install.sh PATH/TO/python           with another one, such as The Littlest JupyterHub's
#
# The versions are those of constraints.txt, and each file but PyTorch's is held to its SHA-256.
# TORCH_INDEX names an index of PyTorch's builds, such as one of CPU-only wheels, which take a tenth
# of the space. deploy/Dockerfile runs this too.
set -eu
python=${1:-python}
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

"$python" -m pip install -c constraints.txt torch ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}
"$python" -m pip install --require-hashes --no-deps -r requirements-server.txt
"$python" -m pip install --no-deps .
"$python" -m jupyterlab.labextensions disable --log-level=ERROR @jupyterlab/apputils-extension:announcements
"$python" -m gptlib doctor
