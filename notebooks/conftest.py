"""For `make test`, which runs every notebook with nbval: how kernels start side by side."""

import kernels

kernels.for_nbval()
