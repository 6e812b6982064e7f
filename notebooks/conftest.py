"""For nbval: how kernels start side by side, and which part of a picture is not compared."""

import kernels

kernels.for_nbval()
