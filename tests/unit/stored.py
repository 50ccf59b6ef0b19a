"""What verbs say of runs that are not sound."""


def unsound(cli, path):
    """What verify tells of a bad file, in sentences."""
    result = cli("verify", path)
    assert result.exit_code == 1, result.output
    assert str(path) in result.stderr
    return result.stderr
