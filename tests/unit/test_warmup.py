"""Compiling ahead: a run after it compiles nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

from small_configs import PUMP, changed

from trajsim.config.oscillators import Integrator
from trajsim.kernels.lanes import MOST_SITES
from trajsim.models.rate_laws import LAWS
from trajsim.running.warmup import shipped

COLD = changed(PUMP, ("rate = 0.5", "rate = 50.0"), ("ies = 60", "ies = 200"))


def test_every_rate_law_and_every_scheme_is_among_the_shipped():
    experiments = [config.experiment for config in shipped().values()]
    methods = [tuple(e.method.values()) for e in experiments if len(e.sites) == 2]
    schemes = get_args(Integrator.model_fields["scheme"].annotation)
    assert sorted(methods) == sorted((name,) for name in (*LAWS, *schemes))
    assert any(len(e.sites) > MOST_SITES for e in experiments)


def test_a_run_after_a_warmup_of_its_config_compiles_nothing(config, tmp_path):
    path, cache = config(COLD), tmp_path / "cache"

    def trajsim(*arguments):
        program = "from trajsim.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=tmp_path,
            env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    def kept():
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in cache.rglob("*.nb?")}

    warm = trajsim("warmup", path)
    folder, _, rest = warm.stdout.partition(": ready in ")
    assert Path(folder).parent == cache / "trajsim"
    assert rest.strip().endswith(" s")
    assert "1/1: " in warm.stderr
    before = kept()
    assert len(before) > 10
    ran = trajsim("run", path, "-o", tmp_path / "x.h5")
    assert "check: sampled agrees" in ran.stdout
    assert kept() == before


def test_without_a_config_every_shipped_kind_is_compiled(cli):
    done = cli("warmup")
    assert done.exit_code == 0
    for number, name in enumerate(shipped(), 1):
        assert f"{number}/{len(shipped())}: {name}: " in done.stderr
    assert Path(done.stdout.partition(": ready in ")[0]).is_dir()


def test_a_warmup_refuses_what_a_run_refuses(config, cli):
    bad = config(changed(PUMP, ("rate = 0.5", "rate = -0.5")))
    assert "model.rate" in cli("warmup", bad).stderr
    assert cli("warmup", bad).exit_code == 2
    assert cli("warmup", "nowhere.toml").exit_code == 2
    assert cli("warmup", "--set", "model.rate=1.0").exit_code == 2
