"""The class of all errors that trajsim raises on purpose."""


class TrajsimError(Exception):
    """Anything that trajsim refuses or cannot do; the message says what and why."""
