"""How Sphinx makes these pages: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

import os
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import trajsim

# Cells of the tutorial call `trajsim` as one does in a shell, and import it from here.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])
)

project, author, copyright = "trajsim", "The trajsim authors", "The trajsim authors"
version = release = trajsim.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "mathml",
    "config_keys",
    "docstrings",
    "notebooks",
    "texts",
]
exclude_patterns = ["_build", "_ext"]

# -- notebooks: executed at every build, and a cell that fails fails the build ---------------------

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_output_stderr = "remove"
nb_merge_streams = True
nb_number_source_lines = False

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# -- the reference, from docstrings ----------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False

# -- how pages look: nothing is fetched from elsewhere ---------------------------------------------

html_theme = "furo"
html_title = f"trajsim {release}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["trajsim.css"]
pygments_style = "friendly"
pygments_dark_style = "github-dark"
