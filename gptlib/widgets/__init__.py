"""Live explorers for the lessons: ordinary ipywidgets around one picture in SVG or HTML."""

from .machine import set_up_check
from .training import watch

__all__ = ["set_up_check", "watch"]
