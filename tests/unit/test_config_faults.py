"""A bad config is refused with every fault in it: line, key, what was found, what is allowed."""

import math
import os
import threading
import time
import tomllib

import pytest
from config_faults import FAULTS, PHASE, faults_of
from hypothesis import given
from hypothesis import strategies as st
from small_configs import PUMP, TRIANGLE, UNDRIVEN, changed, swept

import trajsim.config.reading
from trajsim.config import ConfigError, load, parse


@pytest.mark.parametrize("bad", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line_its_key_and_what_is_allowed(bad):
    text = changed(PUMP, (bad.old, bad.new))
    line = text.count("\n", 0, text.index(bad.at or bad.new)) + 1
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml")
    told = [fault for fault in caught.value.faults if fault.key == bad.key]
    assert told, f"nothing about {bad.key}: {caught.value}"
    assert [fault.line for fault in told] == [line]
    assert all(word in told[0].message for word in bad.says), told[0].message
    assert str(told[0]).startswith(f"a.toml:{line}: {bad.key}: ")


WITH_ANOTHER = {
    "site in a bath that is not there",  # then nobody uses bath R
    "missing key of a site",  # here too
    "number as a name",  # then the bond has no such end
    "table as a sweep key",  # told as a key and as a range
}


@pytest.mark.parametrize("name", sorted(set(FAULTS) - WITH_ANOTHER))
def test_one_mistake_is_told_once(name):
    with pytest.raises(ConfigError) as caught:
        parse(changed(PUMP, FAULTS[name][:2]))
    assert len(caught.value.faults) == 1, str(caught.value)


def test_every_fault_of_a_file_is_told_at_once_in_the_order_of_the_lines():
    text = changed(
        PUMP,
        ("rate = 0.5", "rate = -1"),
        ("glauber-product", "gauber-product"),
        ("period = 10.0", "perod = 10.0"),
        ("0.499", "nan"),
        ('bath = "L"', 'bath = "M"'),
        ("phase = 2.2", "phase = true"),
        ('["1", "2"]', '["1", "3"]'),
        ("seed = 2007", ""),
        ("rows_per_period = 1", f'[sweep]\n"{PHASE[:-1]}" = []\n"ensemble.x" = [1]'),
    )
    faults = faults_of(text)
    lines = [fault.line or 0 for fault in faults]
    assert lines == sorted(lines)
    assert {fault.key for fault in faults} == {
        "model.rate",
        "model.rate_law",
        "drive.perod",
        "drive.period",
        "baths.L",
        "baths.R.temperature",
        "sites.1.bath",
        "sites.2.drive.phase",
        "bonds.1-3.sites",
        "ensemble.seed",
        f"sweep.{PHASE[:-1]}",
        "sweep.ensemble.x",
    }


def test_an_empty_file_is_told_what_it_must_have():
    faults = faults_of("")
    assert {fault.key for fault in faults} == {"model", "drive", "baths", "sites", "ensemble"}
    assert {fault.message for fault in faults} == {"missing"}


def test_faults_of_several_elements_are_told_by_their_names():
    faults = faults_of(TRIANGLE.replace("coupling", "cuopling"))
    assert [f.key for f in faults if f.message != "missing"] == [
        "bonds.a-b.cuopling",
        "bonds.c-b.cuopling",
    ]


BREATHING = """
[model]
kind = "oscillators"
friction = 0.1
[drive]
period = 3.14159265
[baths]
B = { temperature = 1.0 }
[[sites]]
name = "1"
bath = "B"
stiffness = 1.0
[ensemble]
trajectories = 2
periods = 10
seed = 0
[integrator]
steps_per_period = 64
"""


@pytest.mark.parametrize(
    ("stiffness", "says"),
    [
        ("{ offset = 1.0, amplitude = 0.6 }", "multiplies some motion by 1.3"),
        ("{ offset = -0.4, amplitude = 0.5 }", "multiplies some motion by"),
        ("-0.5", "found -0.5, which lets the network run away where nothing else holds it"),
        ("-0.5\ncosine = [{ amplitude = 1.0, wavelength = 0.1 }]", "found -0.5, which lets"),
        ("-2e9", "found -2000000000.0; allowed: a finite number >= -1e+09 and <= 1e+09"),
    ],
)
def test_stiffnesses_that_do_not_hold_are_told(stiffness, says):
    text = changed(BREATHING, ("stiffness = 1.0", f"stiffness = {stiffness}"))
    (fault,) = faults_of(text)
    assert says in fault.message
    assert (fault.key, fault.line) == (
        "sites.1.stiffness",
        text.count("\n", 0, text.index(stiffness)) + 1,
    )


@pytest.mark.parametrize(
    "site",
    [
        "stiffness = -0.5\nquartic = 1.0",
        "stiffness = { offset = -0.5, amplitude = 1.0 }\nquartic = 0.1",
        # Now and then it pushes, but on the whole it holds.
        "stiffness = { offset = 0.3, amplitude = 0.31 }",
    ],
)
def test_negative_stiffnesses_are_allowed_where_something_holds(site):
    parse(changed(BREATHING, ("stiffness = 1.0", site)))
    # One period is one period, whatever happens.
    parse(
        changed(BREATHING, ("stiffness = 1.0", "stiffness = -0.5"), ("periods = 10", "periods = 1"))
    )


OVERDAMPED = changed(BREATHING, ('"oscillators"', '"oscillators"\ndynamics = "overdamped"'))


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("friction = 0.1", "friction = 0.1\nmass = 2.0", "model.mass", "none in overdamped"),
        ('bath = "B"', 'bath = "B"\nmass = 2.0', "sites.1.mass", "none in overdamped"),
        ("steps_per_period", 'scheme = "hoh"\nsteps_per_period', "integrator.scheme", "'sweep'"),
        (
            '[[sites]]\nname = "1"\nbath = "B"',
            'C = { temperature = 2.0 }\n[[sites]]\nname = "1"\nbaths = ["B", "C"]',
            "sites.1.baths",
            "found 2 baths",
        ),
        (
            "[ensemble]",
            '[[sites]]\nname = "2"\nstiffness = 1.0\n[ensemble]',
            "sites.2",
            "no bath; allowed in overdamped dynamics: one",
        ),
    ],
)
def test_what_does_not_go_with_overdamped_dynamics_is_told(old, new, key, says):
    parse(OVERDAMPED)
    (fault,) = faults_of(changed(OVERDAMPED, (old, new)))
    assert fault.key == key
    assert says in fault.message


def test_the_scheme_of_overdamped_dynamics_goes_with_no_other():
    text = changed(BREATHING, ("steps_per_period", 'scheme = "sweep"\nsteps_per_period'))
    (fault,) = faults_of(text)
    assert "found 'sweep' with underdamped dynamics; allowed: 'hoh', 'baoab'" in fault.message


def test_contacts_of_oscillators_have_their_multiples_of_the_friction():
    site = 'name = "1"\nbaths = { C = 0.5, B = 2.0 }\nfriction = 0.6'
    text = changed(
        BREATHING,
        ("[[sites]]", "C = { temperature = 2.0 }\n[[sites]]"),
        ('name = "1"\nbath = "B"', site),
        ("[ensemble]", '[[sites]]\nname = "2"\nstiffness = 1.0\n[ensemble]'),
    )
    network = parse(text).experiment.network()
    assert network.site.tolist() == [0, 0, 1]
    assert network.bath.tolist() == [0, 1, -1]
    assert network.friction.tolist() == [1.2, 0.3, 0.0]
    assert network.temperature.tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("cosine", "key", "says"),
    [
        ("{ amplitude = 1.0 }", "sites.1.cosine.0.wavelength", "missing"),
        ("{ amplitude = 1.0, wavelength = 0 }", "sites.1.cosine.0.wavelength", "found 0"),
        ("{ amplitude = 1.0, wavelength = 1, order = 2 }", "sites.1.cosine.0.order", "unknown"),
        ("{ amplitude = 1.0, wavelength = 1, phase = 1e7 }", "sites.1.cosine.0.phase", "found 1"),
    ],
)
def test_bad_cosines_are_told(cosine, key, says):
    text = changed(BREATHING, ("stiffness = 1.0", f"stiffness = 1.0\ncosine = [{cosine}]"))
    (fault,) = faults_of(text)
    assert fault.key == key
    assert says in fault.message


# -- whole files -----------------------------------------------------------------------------------

NOT_TOML = {
    "a value without quotes": ("rate = 0.5", "rate = fast", "rate = fast"),
    "a key twice": ("rate = 0.5", "rate = 0.5\nrate = 0.6", "rate = 0.6"),
    "a table twice": ("[drive]", "[model]\n[drive]", "[model]\n[drive]"),
    "no closing quote": ('"spins"', '"spins', '"spins'),
    "a line without a value": ("burn_in = 2", "burn_in", "burn_in"),
    "a table that is a list": ("[[bonds]]", "[sites]\n[[bonds]]", "[sites]\n"),
    "no closing bracket": ('["1", "2"]', '["1", "2"', "coupling"),
    "an impossible date": ("seed = 2007", "seed = 2007-02-30", "2007-02-30"),
    "a lone carriage return": ("seed = 2007", "seed = 2007\rx", "seed"),
}


@pytest.mark.parametrize(("old", "new", "at"), NOT_TOML.values(), ids=NOT_TOML)
def test_what_is_not_toml_is_told_with_its_line(old, new, at):
    text = changed(PUMP, (old, new))
    (fault,) = faults_of(text)
    assert fault.message.startswith("not TOML: ")
    assert fault.line == text.count("\n", 0, text.index(at)) + 1


def test_a_file_that_ends_too_early_is_told_with_its_last_line():
    (fault,) = faults_of('title = """\nx\n')
    assert (fault.line, fault.message.startswith("not TOML: ")) == (3, True)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"title = 'x'\ntitle2 = '\xff'\n", "2: not UTF-8 text"),
        (PUMP.encode("utf-16"), "1: not UTF-8 text"),
        (PUMP.replace("two", "zw\u00f6lf").encode("latin-1"), "1: not UTF-8 text"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "a run, where a config belongs"),
        (b"\x00", "1: not TOML"),
        (b"#" * ((1 << 20) + 1), "found 1048577 bytes; allowed: up to 1048576"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, data, says):
    path = tmp_path / "a.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "a.toml").touch()
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load(tmp_path / "a.toml" / "b.toml")


def test_a_config_may_come_through_a_pipe_that_takes_its_time():
    ends = os.pipe()
    whole = PUMP.encode()

    def write():
        for piece in (whole[:100], whole[100:]):
            time.sleep(0.1)
            os.write(ends[1], piece)
        os.close(ends[1])

    writer = threading.Thread(target=write)
    writer.start()
    assert load(f"/dev/fd/{ends[0]}").text == PUMP
    writer.join()
    os.close(ends[0])


def test_a_pipe_that_stays_silent_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(trajsim.config.reading, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    silent = os.open(tmp_path / "pipe", os.O_RDWR)
    with pytest.raises(ConfigError, match=r"nothing came for 0\.1 s"):
        load(tmp_path / "pipe")
    os.close(silent)


def test_the_first_hundred_faults_are_told():
    bond = '[[bonds]]\nsites = ["x{}", "1"]\ncoupling = 1.0\n'
    faults = faults_of(PUMP + "".join(map(bond.format, range(300))))
    assert len(faults) == 101
    assert faults[0].message == "more than 100 faults; the first are"


# -- hostile numbers and depths --------------------------------------------------------------------

DEEP, LONG = 2000, 5000


@pytest.mark.parametrize(
    "value",
    [
        "[" * DEEP + "]" * DEEP,
        "[" * 300 + "]" * 300,
        "{ a = " * 300 + "1" + " }" * 300,
        "{ " + ".".join("a" * DEEP) + " = 1 }",
        "9" * LONG,
        "-" + "9" * LONG,
        "0x" + "f" * LONG,
        "[0x" + "f" * LONG + ", 1]",
        "1e999999",
        "'" + "x" * 100_000 + "'",
    ],
    ids=["list", "short list", "table", "dots", "int", "-int", "hex", "hexes", "float", "text"],
)
@pytest.mark.parametrize(
    "key", ["rate", "kind", "nokey"], ids=["as a number", "as a word", "at no key"]
)
def test_enormous_values_are_refused_and_not_shown_in_full(key, value):
    old = {"rate": "rate = 0.5", "kind": 'kind = "spins"', "nokey": "rate = 0.5"}[key]
    kept = "rate = 0.5\n" if key == "nokey" else ""
    faults = faults_of(changed(PUMP, (old, f"{kept}{key} = {value}")))
    assert all(len(str(fault)) < 500 for fault in faults)


HUGE = "x" * 300_000


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (swept(PUMP, f'"{", ".join([PHASE] * 10_000)}" = [[1.0]]'), []),
        (swept(PUMP, f'"{PHASE}, {PHASE}{HUGE}" = [[1.0, 1.0]]'), []),
        (swept(PUMP, f'"{HUGE}.{HUGE}" = [1.0]'), []),
        (swept(PUMP, f'"sites.2.{HUGE}.x" = [1.0]'), []),
        (swept(PUMP, f'"drive.period.{HUGE}" = [1.0]'), []),
        (PUMP + f"[{HUGE}]\n[{HUGE}]\n", []),
        (f"{HUGE} = {{ {HUGE} = 1, {HUGE} = 2 }}\n" + PUMP, []),
        (PUMP.replace('"1"', f'"{HUGE}"'), []),
        (PUMP.replace("L =", f"{HUGE} ="), []),
        (PUMP, [f"{HUGE}.{HUGE}={HUGE}"]),
        (PUMP, [f"sites.{HUGE}.x=1"]),
        (PUMP, [f"title.{HUGE}=1"]),
        (PUMP, [HUGE]),
        (PUMP, [f"sweep.{HUGE}=[1.0]"]),
    ],
)
def test_what_is_told_of_a_fault_is_short_whatever_was_found(text, overrides):
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.toml", overrides)
    assert len(str(caught.value)) < 1000 * len(caught.value.faults)
    assert len(str(caught.value)) < 10_000


def test_what_is_left_out_of_a_sentence_is_counted():
    (fault,) = faults_of(PUMP, "x" * 1000)
    assert fault.source == f"--set {'x' * 100}... (900 more characters)"


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * DEEP) + " = 1\n" + PUMP,
        PUMP + "[" + ".".join("a" * DEEP) + "]\n",
        PUMP + "[model." + ".".join("a" * DEEP) + "]\n",
        changed(PUMP, ('["1", "2"]', "[0x" + "f" * LONG + ", 1]")),
        swept(PUMP, f'"{PHASE}" = [0x{"f" * LONG}]'),
        swept(PUMP, f'"{PHASE}" = [1{"0" * LONG}]'),
        swept(PUMP, f'"{PHASE}" = {"[" * DEEP + "]" * DEEP}'),
    ],
    ids=["key", "header", "inner header", "end of a bond", "hex sweep", "sweep", "deep sweep"],
)
def test_enormous_keys_and_elements_are_refused(text):
    faults_of(text)


@pytest.mark.parametrize(
    "override",
    [
        "ensemble.seed=" + "9" * LONG,
        "ensemble.seed=0x" + "f" * LONG,
        "title=" + "[" * DEEP,
        "title=" + "[" * 300 + "]" * 300,
        ".".join("a" * DEEP) + "=1",
        "title={" + ".".join("a" * DEEP) + "=1}",
    ],
    ids=["int", "hex", "not TOML", "list", "key", "dots"],
)
def test_enormous_overrides_never_raise_anything_else(override):
    good_or_refused(PUMP, override)


def test_a_range_too_wide_for_floating_point_is_refused():
    text = swept(PUMP, f'"{PHASE}" = {{ start = -1e308, stop = 1e308, num = 3 }}')
    assert faults_of(text)[0].key.startswith("sweep.")


def test_more_points_than_allowed_are_refused_without_making_them():
    axes = [
        f'"sites.{k}.drive.{x}" = {{ start = 0, stop = 1, num = 1000 }}'
        for k in (1, 2)
        for x in ("phase", "offset")
    ]
    (fault,) = faults_of(swept(PUMP, *axes))
    assert (fault.key, "1000000000000 points" in fault.message) == ("sweep", True)


# -- anything at all -------------------------------------------------------------------------------


def good_or_refused(text, *overrides):
    """A config, or ConfigError with faults that can be shown; anything else is a bug."""
    config, faults = None, []
    try:
        config = parse(text, "a.toml", overrides)
    except ConfigError as error:
        faults = error.faults
    assert bool(faults) != (config is not None)
    assert all(str(fault) for fault in faults)
    assert all(f.line is None or 1 <= f.line <= text.count("\n") + 1 for f in faults)
    for point in config.points[:3] if config else []:
        assert math.isfinite(point.experiment.network().period)


GOOD = [PUMP, UNDRIVEN, TRIANGLE, swept(PUMP, f'"{PHASE}, drive.period" = [[1, 10], [2, 20]]')]
PIECES = [
    *"[]{}=.,#\"'\n\t -+0123456789eE_\\\0\r\u00e9\ud7ff\U0001f600",
    *('"""', "'''", "[[", "]]", "inf", "nan", "true", "[sweep]\n", "1e400", "[key]", "..", "0x"),
]


@st.composite
def damaged_texts(draw):
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 10, 60]))
        put = draw(st.one_of(st.sampled_from([*PIECES, ""]), st.sampled_from(text.split("\n"))))
        text = text[:at] + put + text[at + cut :]
    return text


@given(damaged_texts())
def test_a_text_damaged_anywhere_is_good_or_refused(text):
    good_or_refused(text)


WORDS = st.sampled_from(
    [
        "1",
        "2",
        "L",
        "R",
        "",
        ".",
        ",",
        "a b",
        "é",
        "[key]",
        "name",
        "phase",
        "sites",
        "-",
        "\n",
        "0",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from([2**63, 2**64, -(2**64), 10**400]),
        st.floats(),
        WORDS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)
TREES = [tomllib.loads(text) for text in GOOD]


def nodes(tree, at=()):
    """Every place in a tree of tables and lists."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield (*at, key)
        if isinstance(tree[key], dict | list):
            yield from nodes(tree[key], (*at, key))


def written(value):
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool | float) else str(value)


def quoted(text):
    return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


@st.composite
def damaged_trees(draw):
    tree = written(draw(st.sampled_from(TREES)))
    tree = tomllib.loads(f"x = {tree}")["x"]
    for _ in range(draw(st.integers(1, 3))):
        places = list(nodes(tree))
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        parent = tree
        for part in path:
            parent = parent[part]
        deed = draw(st.sampled_from(["put", "put", "put", "delete", "rename", "double"]))
        if deed == "put":
            parent[last] = draw(VALUES)
        elif deed == "rename" and isinstance(parent, dict):
            parent[draw(WORDS)] = parent.pop(last)
        elif deed == "double" and isinstance(parent, list):
            parent.append(parent[last])
        else:
            del parent[last]
    return "".join(f"{quoted(key)} = {written(value)}\n" for key, value in tree.items())


@given(damaged_trees())
def test_values_damaged_anywhere_are_good_or_refused(text):
    good_or_refused(text)


@given(st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=4), VALUES), max_size=3))
def test_any_overrides_are_good_or_refused(pairs):
    good_or_refused(GOOD[3], *(f"{'.'.join(words)}={written(value)}" for words, value in pairs))


KEYS = st.sampled_from(
    [
        "sites.2.drive.phase",
        "drive.period",
        "baths.L.temperature",
        "sites",
        "sites.1",
        "sites.1.drive",
    ]
)


@given(st.dictionaries(st.one_of(KEYS, st.tuples(KEYS, KEYS).map(", ".join), WORDS), VALUES))
def test_any_sweep_is_good_or_refused(axes):
    good_or_refused(swept(UNDRIVEN, *(f"{quoted(k)} = {written(v)}" for k, v in axes.items())))
