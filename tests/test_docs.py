"""Every command that README and RUNBOOK show is run: on this project where they say so, else on a small one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import click
import hourly
import polars as pl
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from walked import Reader, Step, steps

from homeostat import loop
from homeostat.cli import main
from homeostat.core.authorship import Authorship
from homeostat.core.rules import ALERTING, Rule
from homeostat.data.amendments import write_record
from homeostat.decisions.candidate import judge_candidate
from homeostat.decisions.session import Session
from homeostat.project.clock import move_on, stands_at
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving.paths import labels, served

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "RUNBOOK.md")}
BATCH = "2024-03-01T03"
EARNS = "business: {source: readings, value: load, better: higher}\n"
MARK = 90  # above what the other commands amend
WORDS = {"VERSION": "v0.2.0", "SOURCE": "readings", "BATCH": BATCH, "FILE": "again.csv",
         "DAY": "2024-03-02", "MARK": str(MARK)}  # fmt: skip
TALKS = re.compile(r"(?:homeostat|dvc|make)(?: [^`\n]*)?")


def commands(text: str) -> list[str]:
    """What stands alone on an indented line or between backquotes, and begins with one of our commands."""
    shown = re.findall(r"(?m)^    (.+)$", re.sub(r"(?ms)^```.*?^```", "", text)) + re.findall(r"`([^`\n]+)`", text)
    return [" ".join(line.split()) for line in shown if TALKS.fullmatch(" ".join(line.split()))]


SHOWN = sorted({c for text in PAGES.values() for c in commands(text)})
OWN_TESTS = ("homeostat up", "homeostat serve", "homeostat serve --workers 2")  # until Ctrl-C: below, and in serving
OURS = [c for c in SHOWN if c.startswith("homeostat") and c not in OWN_TESTS]
FLOWS = [c for c in OURS if c.startswith("homeostat run ")]
NAMED = sorted(
    {c for page in ROOT.glob("docs/**/*.md") for c in commands(page.read_text()) if c.startswith("homeostat ")}
)


def test_the_pages_show_what_there_is() -> None:
    assert {"make run", "make test", "homeostat", "homeostat up", "dvc repro", "homeostat check leakage"} <= set(SHOWN)
    assert len(OURS) > 15


@pytest.mark.parametrize("rule", sorted(ALERTING))
def test_every_alert_has_its_heading(rule: Rule) -> None:
    assert f"\n## {rule}\n" in PAGES["RUNBOOK.md"]


@pytest.mark.parametrize("command", NAMED)
def test_a_verb_that_a_page_names_is_there(command: str) -> None:
    """What pages name in passing; blocks that are typed are typed in test_pages and test_serving_docs."""
    verb: click.Command = main
    for word in arguments(command)[1:]:
        if not isinstance(verb, click.Group) or word.startswith("-"):
            break
        assert word in verb.commands, command
        verb = verb.commands[word]


@pytest.mark.parametrize("command", [c for c in SHOWN if c.startswith("make")])
def test_make_knows_it(command: str) -> None:
    done = subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The hourly project after a day and a half: two versions, and a row that is held."""
    folder = tmp_path_factory.mktemp("docs") / "meters"
    clock = f'threads: 1\nclock: {{start: "{hourly.START.isoformat()}", speed: 60}}\n'
    project = hourly.make(folder, params=hourly.PARAMS.replace("threads: 1\n", clock) + hourly.ROLLOUT + EARNS)
    hourly.run(folder, "config", "user.name", "Ann")
    rows = hourly.readings()
    at = pl.col("at") == hourly.START + timedelta(hours=3)
    rows.with_columns(pl.when(at).then(500.0).otherwise("load").alias("load")).write_csv(
        folder / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S"
    )
    shutil.copytree(ROOT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    hourly.commit(folder, "a reading that cannot be")
    rows.filter(pl.col("at").dt.truncate("1h") == hourly.START + timedelta(hours=3)).write_csv(
        folder / "again.csv", datetime_format="%Y-%m-%dT%H:%M:%S"
    )
    loop.begin(Session.open(project), hourly.START)
    move_on(project, hourly.START)
    for hours in (2, 3, 4, 26, 30):
        loop.tick(Session.open(project), hourly.START + timedelta(hours=hours))
    assert [r.version for r in Registry.open(project).ledger.releases][:2] == ["v0.1.0", "v0.2.0"]
    return project


def arguments(command: str) -> list[str]:
    """The words of a command, its placeholders filled in."""
    return [WORDS.get(word, word) for word in shlex.split(command)]


def prepare(home: Project, command: str) -> None:
    """Bring about what the command is for."""
    if "rollback" in command:  # there must be something to take back
        Registry(home).promote("v0.2.0", Authorship("a test", "to roll it back", stands_at(home)))
    if "promote candidate" in command:  # of the data as they are now
        with loop.run_context(home.home) as (session, at):
            judge_candidate(session, at)
    if "promote weights" in command:  # other ones in the scope
        params = home.root / "params.yaml"
        params.write_text(params.read_text().replace("weight: 2", "weight: 3"))
        hourly.commit(home.root, "a miss is dearer")
    if "check ladder" in command:
        params, rungs = home.root / "params.yaml", "{rule: {model: heuristic}, line: {model: linear}}"
        ladder = f"  refit: true\n  ladder: {{every: 28d, margin: 0.01, rungs: {rungs}}}\n"
        params.write_text(params.read_text().replace("  refit: true\n", ladder))
    if "data clear" in command:
        body = {"number": MARK, "kind": "contaminated", "who": "a test", "why": "to clear it", "known": hourly.START}
        span = {"since": hourly.START, "until": hourly.START + timedelta(hours=1)}
        write_record(home.worktree, body | {"version": "v0.2.0"} | span, "v0.2.0")
    if "--canary" in command:  # and something to try it beside
        Registry(home).promote("v0.1.0", Authorship("a test", "to try another", stands_at(home)))


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in OURS if c not in FLOWS])
def test_a_command_of_ours_runs(home: Project, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    params = home.root / "params.yaml"
    before = params.read_text()
    prepare(home, command)
    monkeypatch.chdir(home.home)
    run = CliRunner().invoke(main, arguments(command)[1:])
    if "check ladder" in command:  # whose entry dvc.yaml would have to list
        params.write_text(before)
    allowed = (0, 1) if command.endswith("check leakage") else (0,)  # findings are an answer too
    assert run.exit_code in allowed, run.output
    assert run.stdout.strip()


@pytest.mark.slow
def test_the_flows_run(home: Project) -> None:
    """One after the other in one process, which starts Prefect once."""
    script = "import sys\nfrom homeostat.cli import main\nfor words in sys.argv[1:]:\n"
    script += "    assert not main(words.split(), standalone_mode=False), words\n"
    done = subprocess.run(
        [sys.executable, "-c", script, *(" ".join(arguments(command)[1:]) for command in FLOWS)],
        cwd=home.home, capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) >= len(FLOWS)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_dvc_commands_run(home: Project) -> None:
    tree = home.worktree
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    for command in [c for c in SHOWN if c.startswith("dvc") and c != "dvc fetch"]:
        done = subprocess.run(
            shlex.split(command), cwd=tree.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, command + done.stdout + done.stderr


@pytest.mark.slow
def test_up_says_where_to_look_and_ends_on_ctrl_c(home: Project) -> None:
    command = [str(Path(sys.executable).parent / "homeostat"), "up"]
    log = home.home / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=home.home, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 120
        while "http://127.0.0.1" not in log.read_text():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


# ---- the README's demo, on this repository's own data


def copied(target: Path) -> Path:
    """This repository's project as it is, uncommitted edits included, as a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
        text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    hourly.run(target, "init", "-q", "-b", "main")
    hourly.commit(target, "the project")
    return target


def made(step: Step) -> Step:
    """Where make is typed, the command that it would run: its set-up is this environment's."""
    target = step.typed.removeprefix("make ").strip()
    if target == step.typed.strip():
        return step
    shown = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return Step(shown.splitlines()[-1].replace(".venv/bin/", ""), step.answer)


@pytest.mark.slow
def test_the_readme_is_gone_through(tmp_path: Path) -> None:
    reader = Reader(copied(tmp_path / "flights"))
    typed = list(steps(ROOT / "README.md"))
    assert typed[0].typed.strip() == "make demo"
    for step in typed:
        reader.types(made(step))
    wall, processor = reader.spent[made(typed[0]).typed.strip()]
    print(f"demo: {wall:.0f} s, {processor:.0f} s of the processors")
    assert processor < 60


# ---- what stands in git and says what appears beside it


@pytest.mark.parametrize("folder", ["data", "models", "reports"])
def test_the_readme_of_a_folder_names_what_appears_there(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text()
    named = {entry.partition("/")[0] for entry in re.findall(r"(?m)^\| `([^`]+)` \|", text)}
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    outs = [o if isinstance(o, str) else next(iter(o)) for stage in stages
            for kind in ("outs", "metrics", "plots") for o in stage.get(kind, ())]  # fmt: skip
    project = Project(ROOT, ROOT)
    properties = [n for n, v in vars(Project).items() if isinstance(v, property)]
    paths = [p for n in properties if isinstance(p := getattr(project, n), Path)] + [served(project), labels(project)]
    below = {Path(o).parts for o in outs} | {p.relative_to(ROOT).parts for p in paths}
    assert {parts[1] for parts in below if parts[0] == folder and len(parts) > 1} == named
