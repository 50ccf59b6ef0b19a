"""What the command line answered."""

import json


def answer(result):
    """What a verb printed as JSON; nothing but JSON is on its standard output."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=refuse)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")
