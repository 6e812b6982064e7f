"""What the theme leaves out: a screen reader is told how high the headings of its menu are."""


def setup(app) -> dict:
    app.connect("html-page-context", finish, priority=900)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def finish(app, page: str, template: str, context: dict, doctree) -> None:
    menu = context.get("furo_navigation_tree") or ""
    context["furo_navigation_tree"] = menu.replace(
        'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'
    )
