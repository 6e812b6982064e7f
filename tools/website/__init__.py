"""The course as web pages: what the notebooks show, gathered for Sphinx; see tools/make_site.py."""
