"""Configs that are broken or made by somebody who means ill."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

from scene import CONFIG

VERBS = ("validate", "exact", "run", "plot")
GOOD = CONFIG.format(points=2, trajectories=60, period=10.0)
PLAIN = GOOD.split("[sweep]")[0]
MIB = 1 << 20

CONFIGS: dict[str, Callable[[Path, Path], object]] = {}


def text(name: str, content: str | bytes) -> None:
    """Enter a config of this content."""
    assert name not in CONFIGS
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    CONFIGS[name] = lambda path, _: path.write_bytes(data)


def instead(old: str, new: str) -> str:
    """The sound config with one text, which must be there once, replaced."""
    assert PLAIN.count(old) == 1
    return PLAIN.replace(old, new)


def numbered(count: int, line: str) -> str:
    """Many lines, with their numbers in the place of `%`."""
    return "".join(line.replace("%", str(k)) for k in range(count))


# -- no text, no TOML ------------------------------------------------------------------------------

text("empty", "")
text("blanks", "\n" * MIB)
text("one byte above 1 MiB", PLAIN + "#" * (MIB + 1 - len(PLAIN)))
text("100 MiB", b"#" * (100 * MIB))
text("UTF-16", GOOD.encode("utf-16"))
text("UTF-32", GOOD.encode("utf-32"))
text("Latin-1", GOOD.replace("a run", "ein Läufchen").encode("latin-1"))
text("EBCDIC", GOOD.encode("cp500"))
text("UTF-7 of a name", instead('name = "1"', 'name = "+AGE-\\u0000"'))
text("overlong UTF-8", PLAIN.encode() + b"# \xc0\xaf\n")
text("surrogates in UTF-8", PLAIN.encode() + b"# \xed\xa0\x80\n")
text("NUL", PLAIN.encode() + b"\0")
text("control characters", PLAIN + "# \x07\x1b[2J\n")
text("a lone carriage return", PLAIN.replace("\n", "\r"))
text("compressed", gzip.compress(GOOD.encode()))
text("an HDF5 signature", b"\x89HDF\r\n\x1a\n" + bytes(500))
text("JSON", '{"model": {"kind": "spins"}}')
text("YAML", "model:\n  kind: spins\n")
text("a template", PLAIN + "{% for x in y %}\n")
text("an unfinished text", PLAIN + 'more = """')
text("an unfinished list", PLAIN + "more = [" + "1," * 100_000)

# -- depth and breadth -----------------------------------------------------------------------------

text("lists 100,000 deep", PLAIN + "more = " + "[" * 100_000 + "]" * 100_000)
text("lists 100,000 deep and open", PLAIN + "more = " + "[" * 100_000)
text("lists 300 deep", instead("rate = 0.5", "rate = " + "[" * 300 + "]" * 300))
text("tables 5,000 deep", PLAIN + "more = " + "{a=" * 5000 + "1" + "}" * 5000)
text("a key of 300,000 dots", "a" + ".a" * 300_000 + " = 1\n" + PLAIN)
text("a quoted key of 100,000 dots", '"a b"' + '."a b"' * 100_000 + " = 1\n" + PLAIN)
text("a heading of 300,000 dots", PLAIN + "[a" + ".a" * 300_000 + "]\n")
text("5,000 keys of 50 dots", PLAIN + numbered(5000, "a.%" + ".a" * 50 + " = 1\n"))
text("90,000 unknown keys", PLAIN + "[more]\n" + numbered(90_000, "k% = 1\n"))
text("90,000 unknown tables", PLAIN + numbered(60_000, "[k%]\n"))
text("90,000 sites", PLAIN + "[lattice]\nshape = [300, 300]\n")
text("20,000 bonds of nothing", PLAIN + numbered(15_000, '[[bonds]]\nsites = ["x%", "1"]\n'))
text("20,000 baths", PLAIN + numbered(20_000, "[baths.b%]\ntemperature = 1\n"))
text(
    "3,000 baths and 4,000 misspelt ones",
    PLAIN
    + numbered(3000, "[baths.b%]\ntemperature = 1.0\n")
    + numbered(4000, '[[sites]]\nname = "s%"\nbath = "bb%"\n'),
)
text("the same site 20,000 times", PLAIN + '[[sites]]\nname = "1"\nbath = "L"\n' * 20_000)
text("a list of 400,000", PLAIN + "more = [" + "1," * 400_000 + "]\n")
text("a name of a million letters", instead('name = "1"', f'name = "{"x" * (MIB - 2000)}"'))
text("a title of a million letters", instead("a run to be disturbed", "x" * (MIB - 2000)))
text("10,000 swept keys", PLAIN + "[sweep]\n" + numbered(10_000, '"baths.L.t%" = [1.0]\n'))
text(
    "one heading of 30,000 keys",
    PLAIN + '[sweep]\n"' + ",".join(["drive.period"] * 30_000) + '" = [1.0]\n',
)
text(
    "a sweep of 10^15 points",
    PLAIN
    + "[sweep]\n"
    + "".join(
        f'"{key}" = {{ start = 1.0, stop = 2.0, num = 1000 }}\n'
        for key in (
            "drive.period",
            "baths.L.temperature",
            "baths.R.temperature",
            "bonds.0.coupling",
            "model.rate",
        )
    ),
)
text(
    "10,000 points of 4,000 sites",
    (
        PLAIN
        + numbered(3000, '[[sites]]\nname = "s%"\nbath = "L"\n')
        + '[sweep]\n"drive.period" = { start = 1.0, stop = 2.0, num = 10000 }\n'
    ),
)

# -- values ----------------------------------------------------------------------------------------

for name, value in {
    "5,000 digits": "9" * 5000,
    "500,000 digits": "9" * 500_000,
    "500,000 hexadecimal digits": "0x" + "f" * 500_000,
    "2^64": str(2**64),
    "-1": "-1",
    "nan": "nan",
    "inf": "inf",
    "1e999": "1e999",
    "a date": "1979-05-27T07:32:00Z",
    "a text": '"7"',
    "a truth": "true",
    "a table": "{ a = 1 }",
}.items():
    text(f"seed is {name}", instead("seed = 2007", f"seed = {value}"))
for name, (old, new) in {
    "a period of 1e-300": ("period = 10.0", "period = 1e-300"),
    "a period of nan": ("period = 10.0", "period = nan"),
    "a temperature of 0": ("temperature = 0.5 ", "temperature = 0.0 "),
    "a temperature of -1": ("temperature = 0.5 ", "temperature = -1.0 "),
    "10^30 trajectories": ("trajectories = 60", f"trajectories = 1{'0' * 30}"),
    "no trajectories": ("trajectories = 60", "trajectories = 0"),
    "an amplitude of 1e300": ("amplitude = 0.25, phase = 2.2", "amplitude = 1e300"),
    "100 harmonics": (
        "amplitude = 0.25, phase = 2.2",
        "harmonics = [" + "{ order = 1, amplitude = 1.0 }, " * 100 + "]",
    ),
    "another kind": ('kind = "spins"', 'kind = "polymers"'),
    "a kind that is a list": ('kind = "spins"', 'kind = ["spins"]'),
    "no kind": ('kind = "spins"', ""),
    "another law": ("glauber-product", "glauber" * 10_000),
    "a bond of one": ('sites = ["1", "2"]', 'sites = ["1"]'),
    "a bond with itself": ('sites = ["1", "2"]', 'sites = ["1", "1"]'),
    "a site without a bath": ('bath = "L"\n', ""),
    "a name with a line end": ('name = "1"', 'name = "a\\nb"'),
    "a name that leads elsewhere": ('name = "1"', 'name = "../../etc/passwd"'),
    "a misspelt table": ("[[bonds]]", "[[bond]]"),
}.items():
    text(name, instead(old, new))
text("a key twice", PLAIN.replace("seed = 2007", "seed = 2007\nseed = 2008"))
text("a table twice", PLAIN + "[drive]\nperiod = 1.0\n")
text("a list and a table of one name", PLAIN + "[sites]\nname = 3\n")
text("a table within a value", PLAIN + "[drive.period.more]\n")

# -- what is no plain file -------------------------------------------------------------------------

CONFIGS["not there"] = lambda path, _: None
CONFIGS["a folder"] = lambda path, _: path.mkdir()
CONFIGS["a pipe that nobody writes to"] = lambda path, _: os.mkfifo(path)
CONFIGS["a link to itself"] = lambda path, _: path.symlink_to(path)
CONFIGS["a link to a pipe"] = lambda path, secrets: path.symlink_to(secrets.parent / "silent")
CONFIGS["an endless device"] = lambda path, _: path.symlink_to("/dev/zero")
CONFIGS["noise without end"] = lambda path, _: path.symlink_to("/dev/urandom")
CONFIGS["the empty device"] = lambda path, _: path.symlink_to("/dev/null")
CONFIGS["a socket"] = lambda path, _: os.mknod(path, 0o140600)
CONFIGS["a file as a folder"] = lambda path, secrets: path.symlink_to(secrets / "run.h5" / "x")
