"""Side by side with peers, and measurements behind the course's claims. `make bench`."""
