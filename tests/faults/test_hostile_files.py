"""Bad files under every verb, a sample of them; `python tests/faults/hostile.py` does all."""

import sys
import time

import bad_configs as configs
import pytest
from bad_files import FILES
from bad_folders import FOLDERS
from bad_ledgers import LEDGERS
from hostile import MOST_SECONDS, MOST_WORDS, bad_configs, bad_runs, sound
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trajsim.config import ConfigError, load

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc and inotify")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    with sound(tmp_path_factory.mktemp("hostile"), anew=False) as made:
        yield made


def wrong(verdicts):
    return [(v.name, v.verb, v.wrong) for v in verdicts if v.wrong]


@linux
def test_bad_runs_are_told_by_every_verb_and_nothing_else_is_opened(prepared, tmp_path):
    assert (len(FILES) >= 60, len(LEDGERS) >= 60, len(FOLDERS) >= 60) == (True, True, True)
    verdicts = list(bad_runs(*prepared[:1], tmp_path / "runs", *prepared[1:], every=4))
    assert len({v.name for v in verdicts}) >= 60
    assert wrong(verdicts) == []


@linux
def test_bad_configs_are_told_at_once_and_nothing_is_left_behind(prepared, tmp_path):
    program, run, _ = prepared
    verdicts = list(bad_configs(program, tmp_path / "configs", run, verbs=("validate",)))
    assert len(verdicts) == len(configs.CONFIGS) >= 60
    assert wrong(verdicts) == []


PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [b"[[", b"]]", b'"""', b"'", b"{", b"}", b".a", b"\n", b"=", b",", b"\xff", b"9"]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(configs.GOOD)),
            st.integers(0, 40),
            PIECES,
            st.sampled_from([0, 1, 1, 1, 3, 50, 20_000]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_config_whose_bytes_are_changed_anywhere_is_good_or_refused_in_time(
    tmp_path_factory, edits
):
    data = configs.GOOD.encode()
    for at, cut, piece, times in edits:
        data = data[:at] + piece * times + data[at + cut :]
    path = tmp_path_factory.getbasetemp() / "changed.toml"
    path.write_bytes(data)
    began, said = time.process_time(), "good"
    try:
        load(path)
    except ConfigError as error:
        said = str(error)
    assert 0 < len(said) < MOST_WORDS
    assert time.process_time() - began < MOST_SECONDS
