"""Configures the documentation site: `make docs` builds it into build/docs.

The sources are the pages of the whole repository, so that every link between them is the same on
the site and in a file browser. Nothing here needs the network, neither the build nor the reader.
"""

from dispute_fsm import __version__

project = "dispute-fsm"
author = "The dispute_fsm authors"
version = release = __version__
project_copyright = author  # without a year, which would make each build another

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "statemachine.contrib.diagram.sphinx_ext",
    "tools.website.anchors",
    "tools.website.chart",
    "tools.website.command_help",
    "tools.website.docstrings",
    "tools.website.languages",
    "tools.website.navigation",
    "tools.website.pictures",
]

root_doc = "docs/index"
include_patterns = ["*.md", "diagrams/**.md", "docs/**.md", "examples/*.md"]
exclude_patterns = [".*", "build", "dist", "src", "tests"]

# GitHub makes an anchor of every heading; our links use them.
myst_heading_anchors = 4
# The overview of a page is the sidebar's; a heading below another page's is no fault.
suppress_warnings = [
    "toc.not_included",  # the tables of diagrams/ are reached from diagrams/README.md
    "myst.header",  # a generated table may begin with a smaller heading than its page would
]

# Docstrings name things in single backticks: a link where the name is on the site, code elsewhere.
default_role = "py:obj"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"dispute-fsm {release}"
html_extra_path = ["_root"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # a browser fetches nothing from a page that is opened as a file
html_search_language = "en-zh"
