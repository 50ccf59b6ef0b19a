"""Text of others as it may be shown: on a terminal, on a page, in a figure."""


def printable(text: str, keep: str = "") -> str:
    """Text in which control characters, but for those to keep, are seen instead of obeyed."""
    # File names may hold bytes that are no text.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def writable(text: str, encoding: str | None) -> str:
    """Text in which letters that an encoding does not have are escaped as in Python."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
