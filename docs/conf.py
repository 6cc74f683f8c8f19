"""Settings of the documentation."""

import re

from convlib._native import cpu

project = "convlib"
author = "The convlib developers"
project_copyright = f"2026, {author}"
version = release = cpu.version()

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
default_role = "literal"

autosummary_generate = True
# Methods stand on the page of their class: see _templates.
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "convlib"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_sidebars = {"*": []}    # pages without pages below them
# All that a page needs is in the site: it is read without a network.
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def escape_shapes(app, what, name, obj, options, lines):
    """Keep `(*size, channels)` and `(n_features_in_,)` from being read as markup."""
    markup = r"`+[^`]+`+|(?<=[( ])\*(?=\w)|(?<=\w)_(?=[,)])"
    for i, line in enumerate(lines):
        lines[i] = re.sub(markup, lambda m: m[0] if "`" in m[0] else "\\" + m[0], line)


def skip_requests(app, what, name, obj, skip, options):
    """Leave out `set_fit_request` and its like, whose docstrings are scikit-learn's."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Run after numpydoc."""
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)
    app.connect("autodoc-skip-member", skip_requests)
