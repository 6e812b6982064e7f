"""Beyond one laptop: several processes, and corpora that are larger than memory."""
