"""The class of all errors that trajsim raises on purpose."""


class TrajsimError(Exception):
    """Base class of trajsim's errors; the message says what failed and why."""
