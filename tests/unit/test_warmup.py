"""Compiling ahead: a run after it compiles nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

from small_configs import PUMP, changed

from trajsim.compiled.jit import compiled_code
from trajsim.config.oscillators import Integrator
from trajsim.kernels.lanes import MOST_CONTACTS
from trajsim.models.rate_laws import LAWS
from trajsim.running.warmup import shipped

COLD = changed(PUMP, ("rate = 0.5", "rate = 50.0"), ("ies = 60", "ies = 200"))


def test_every_rate_law_and_every_scheme_is_among_the_shipped():
    experiments = [config.experiment for config in shipped().values()]
    methods = [tuple(e.method.values()) for e in experiments if len(e.sites) == 2]
    kinds = get_args(Integrator.model_fields["scheme"].annotation)
    schemes = next(filter(None, (get_args(kind) for kind in kinds)), kinds)
    assert sorted(methods) == sorted((name,) for name in (*LAWS, *schemes))
    assert any(len(e.sites) > MOST_CONTACTS for e in experiments)


# Writes down all compiled code that the command line asks for, and what it compiles itself.
WATCHED = """
import json, pathlib, sys
from trajsim.compiled.jit import Kept
asked, made = set(), []
load, save = Kept.load_overload, Kept.save_overload
def loaded(kept, signature, context):
    asked.add(f"{kept._function.__module__}.{kept._function.__qualname__}{signature}")
    return load(kept, signature, context)
def saved(kept, signature, code):
    made.append(kept._function.__qualname__)
    save(kept, signature, code)
Kept.load_overload, Kept.save_overload = loaded, saved
from trajsim.cli import main
try:
    main()
finally:
    pathlib.Path("watched.json").write_text(json.dumps([sorted(asked), made]))
"""


def test_a_run_after_a_warmup_of_its_config_compiles_nothing(config, tmp_path):
    path = config(COLD)

    def trajsim(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        asked, made = json.loads((tmp_path / "watched.json").read_text())
        return done, set(asked), made

    warm, ready, _ = trajsim("warmup", path)
    folder, _, rest = warm.stdout.partition(": ready in ")
    assert Path(folder) == compiled_code()
    assert rest.strip().endswith(" s")
    assert "1/1: " in warm.stderr
    assert len(ready) > 5
    ran, asked, made = trajsim("run", path, "-o", tmp_path / "x.h5")
    assert "check: sampled agrees" in ran.stdout
    assert made == []
    # Not because somebody else had compiled it.
    assert asked <= ready


def test_without_a_config_every_shipped_kind_is_compiled(cli):
    done = cli("warmup")
    assert done.exit_code == 0, done.stderr
    for number, name in enumerate(shipped(), 1):
        assert f"{number}/{len(shipped())}: {name}: " in done.stderr
    assert Path(done.stdout.partition(": ready in ")[0]).is_dir()


def test_a_warmup_refuses_what_a_run_refuses(config, cli):
    bad = config(changed(PUMP, ("rate = 0.5", "rate = -0.5")))
    assert "model.rate" in cli("warmup", bad).stderr
    assert cli("warmup", bad).exit_code == 2
    assert cli("warmup", "nowhere.toml").exit_code == 2
    assert cli("warmup", "--set", "model.rate=1.0").exit_code == 2
