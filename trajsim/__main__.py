"""`python -m trajsim` is `trajsim`."""

from trajsim.cli import main

main(prog_name="trajsim")
