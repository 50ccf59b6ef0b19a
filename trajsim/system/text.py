"""Text from files and users in a printable form: for terminals, pages, figures."""


def printable(text: str, keep: str = "") -> str:
    """Text with control characters, except those to keep, replaced by escapes."""
    # File names may hold bytes that are no text.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def writable(text: str, encoding: str | None) -> str:
    """Text with letters that an encoding lacks replaced by Python's escapes."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
