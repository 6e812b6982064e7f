"""The same results sooner: a matrix product and BPE's merges, each held equal to the plain version
by a test. The lesson modules call these; nothing here imports a lesson module."""
