"""DVC, in process: reproduce the DAG, restore its outs, share one cache among worktrees and clones."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from homeostat.adapters.dvc_inputs import inputs_hashed_once, texts_parsed_once
from homeostat.adapters.dvc_lock import quick_lock_file
from homeostat.adapters.dvc_state import remove_caches, repair_state
from homeostat.adapters.stage_process import StageProcess, stage_of
from homeostat.adapters.telemetry import quiet_environment
from homeostat.core import errors
from homeostat.core.errors import EnvironmentFault, HomeostatError
from homeostat.project.whole_files import write_text

if TYPE_CHECKING:
    from dvc.repo import Repo

T = TypeVar("T")
PATIENCE = 60.0  # seconds to wait for another run in the same folder
WHOLE = "\n# whole\n"  # the end of a whole file of settings
_RAISED = re.compile(r"^(?:[\w.]+\.)?(ScopeError|DataError|EnvironmentFault|UsageError): (.+)$")
_one_at_a_time = threading.Lock()
WORKER = StageProcess()  # of this process, as other tools keep a connection
atexit.register(WORKER.close)


def reproduce(
    root: Path, targets: list[str] | None = None, patience: float = PATIENCE, force: bool = False,
    worker: StageProcess | None = WORKER,
) -> list[str]:  # fmt: skip
    """Bring the outs of the tree at ``root`` up to date; the names of the stages that ran, in order.

    What the stages print goes to ``.dvc/tmp/stages.log``. While another run holds the folder, tries again with back-off
    for ``patience`` seconds. ``force``: every stage runs, whatever is up to date. ``worker`` runs our own stages;
    without one each runs in a process of its own, as with ``dvc repro`` from the shell.

    Raises:
        HomeostatError: what the failing stage raised, or an EnvironmentFault with the last line that it wrote.
    """
    ran: list[str] = []

    def once() -> None:
        with _repo(root) as repo, _commands(root, worker, ran), quick_lock_file(), inputs_hashed_once():
            repair_state(repo)
            for stage in repo.reproduce(targets or None, force=force):
                if stage.addressing not in ran:
                    ran.append(stage.addressing)  # restored from the run cache: no command was needed

    _patiently(root, once, patience)
    return ran


def reproduce_alone(root: Path, stages: Sequence[str], worker: StageProcess | None = WORKER) -> list[str]:
    """Bring the outs of these stages, in order, up to date where no other outs are: what they read is checked out.

    What has changed and concerns other stages too comes back, as ``changed_inputs`` has it.

    Raises:
        HomeostatError: as ``reproduce``, or an EnvironmentFault where the cache lacks what they read.
    """

    def once() -> list[str]:
        if worker is not None:
            _import_ahead(root, worker, stages)
        with _repo(root) as repo, _commands(root, worker, []), quick_lock_file(), inputs_hashed_once():
            of_stages = [stage for stage in repo.index.stages if stage.addressing in stages]
            made = {out.def_path for out in repo.index.outs if out.use_cache}
            own = {out.def_path for stage in of_stages for out in stage.outs}
            read = {dep.def_path for stage in of_stages for dep in stage.deps} - own
            with _linked(repo):
                repo.checkout(sorted(made & read), force=True)
            repo.checkout(sorted(made & own), force=True)
            for stage in stages:
                repo.reproduce(stage, single_item=True)
            return _changed_inputs(repo)

    return _patiently(root, once)


@contextmanager
def _linked(repo: Repo) -> Iterator[None]:
    """Check files out as links to the cache's, which nothing may change: a stage's inputs, a thousand of them."""
    cache = repo.cache.local
    usual, cache.cache_types = cache.cache_types, ["hardlink", "copy"]
    try:
        yield
    finally:
        cache.cache_types = usual


def pending(root: Path) -> list[str]:
    """The stages whose inputs or outs have changed since ``dvc.lock``; empty where a reproduce has nothing to do."""

    def once() -> list[str]:
        with _repo(root) as repo:
            return sorted(repo.status())

    return _patiently(root, once)


def changed_inputs(root: Path) -> list[str]:
    """What ``dvc.lock`` was made from that has changed since: files and parameters, but no out of a stage."""

    def once() -> list[str]:
        with _repo(root) as repo:
            repair_state(repo)
            return _changed_inputs(repo)

    return _patiently(root, once)


def _changed_inputs(repo: Repo) -> list[str]:
    outs = {out.def_path for out in repo.index.outs}
    changes = [change for stage in repo.status().values() for change in stage if isinstance(change, dict)]
    deps = {path for change in changes for path in change.get("changed deps", {})}
    return sorted(deps - outs)


def checkout(root: Path) -> None:
    """Make the outs in the tree at ``root`` what its ``dvc.lock`` says, from the cache.

    Raises:
        EnvironmentFault: the cache does not hold them; a reproduce makes them again.
    """

    def once() -> None:
        with _repo(root) as repo:
            repo.checkout(force=True)

    _patiently(root, once)


def restore_out(root: Path, commit: str, out: str, target: Path) -> Path:
    """Copy the out ``out`` (a path below ``root``) as it was at ``commit`` to ``target``, from cache or remote.

    Raises:
        EnvironmentFault: the commit has no such out, or neither the cache nor the remote holds it.
    """

    def once() -> None:
        with _repo(root) as repo:
            content = _content(repo, commit, out)
            if not _cached(repo, content) and (why := _fetched(repo, content)):
                lacks = f"the cache lacks {out} of {commit[:12]}, and {why}"
                raise EnvironmentFault(f"{root}: {lacks}; run dvc fetch, or dvc repro at that commit")
            for path, inside in _files(repo, content):
                file = target.joinpath(*path)
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(repo.cache.local.oid_to_path(inside.value), file)

    _patiently(root, once)
    return target


def holds(root: Path, commit: str, out: str) -> bool:
    """Whether the cache has the out ``out`` as it was at ``commit``, with all that is in it.

    Raises:
        EnvironmentFault: there is no such commit, or it has no such out.
    """

    return bool(content_of(root, commit, out))


def content_of(root: Path, commit: str, out: str) -> str:
    """What names the content of the out ``out`` as it was at ``commit``; empty where the cache lacks a part of it.

    Raises:
        EnvironmentFault: there is no such commit, or it has no such out.
    """

    def once() -> str:
        with _repo(root) as repo:
            content = _content(repo, commit, out)
            return str(content.value) if _cached(repo, content) else ""

    return _patiently(root, once)


def push_out(root: Path, commit: str, out: str) -> None:
    """Put the out ``out`` as it was at ``commit`` on the default remote, where it is not there yet.

    Raises:
        EnvironmentFault: there is no remote, it cannot be written, or the cache does not hold the out.
    """

    def once() -> None:
        with _repo(root) as repo:
            content = _content(repo, commit, out)
            try:
                whole = _transferred(repo, content, away=True)
            except Exception as error:  # each kind of remote raises its own
                raise EnvironmentFault(f"{root}: {out} cannot be pushed: {_why(error)}") from error
            if not whole:
                lacks = f"the cache lacks {out} of {commit[:12]}, so other hosts cannot have it"
                raise EnvironmentFault(f"{root}: {lacks}; run dvc repro at that commit")

    _patiently(root, once)


def _cached(repo: Repo, content: Any) -> bool:
    """Whether the cache has a content with all that is in it."""
    cache = repo.cache.local
    return cache.exists(content.value) and all(cache.exists(inside.value) for _, inside in _files(repo, content))


def _files(repo: Repo, content: Any) -> list[tuple[tuple[str, ...], Any]]:
    """The files of a content that the cache has, by their path in it: none but itself, where it is one file."""
    from dvc_data.hashfile.tree import Tree

    if not content.isdir:
        return [((), content)]
    return [(path, inside) for path, _, inside in Tree.load(repo.cache.local, content)]


def _fetched(repo: Repo, content: Any) -> str:
    """Bring a content from the default remote to the cache; why it could not be done, or nothing."""
    try:
        return "" if _transferred(repo, content, away=False) else "the remote lacks it too"
    except Exception as error:  # each kind of remote raises its own
        return _why(error)


def _transferred(repo: Repo, content: Any, away: bool) -> bool:
    """Copy an out with all that is in it from the cache to the default remote, or back; whether all of it is there.

    DVC's own push and fetch read the remote from the commit, and pass over what is lacking without a word.

    Raises:
        Exception: what the remote raised, also at a single file.
    """
    from dvc_data.hashfile.status import compare_status

    cache, remote = repo.cache.local, repo.cloud.get_remote_odb()
    source, target = (cache, remote) if away else (remote, cache)
    with _errors_of_files_raised():
        if not away:
            repo.cloud.transfer(remote, cache, [content])  # the list of what is in it comes first
        if not cache.exists(content.value):
            return False
        failed = repo.cloud.transfer(source, target, [content], shallow=False, cache_odb=cache).failed
    status = compare_status(source, target, [content], check_deleted=False, shallow=False, cache_odb=cache)
    return not (failed or status.missing or status.new)


@contextmanager
def _errors_of_files_raised() -> Iterator[None]:
    """DVC logs what stops a single file, and goes on with the others: raise the last of these errors then."""
    errors: list[BaseException] = []

    def note(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            errors.append(record.exc_info[1])
        return False

    transfers = logging.getLogger("dvc_data.hashfile.transfer")
    level = transfers.level
    transfers.setLevel(logging.ERROR)
    transfers.addFilter(note)
    try:
        yield
    finally:
        transfers.removeFilter(note)
        transfers.setLevel(level)
    if errors:
        raise errors[-1]


def _content(repo: Repo, commit: str, out: str) -> Any:
    """What names the content of an out at a commit; the remotes are those of the folder as it is now."""
    from dvc.repo.brancher import switch

    with switch(repo, commit):
        content = next((o.hash_info for o in repo.index.outs if o.def_path == out), None)
    if content is None or not content.value:
        raise EnvironmentFault(f"{repo.root_dir}: commit {commit[:12]} has no {out}; name a commit that was released")
    return content


def _why(error: Exception) -> str:
    """What a remote raised, in one line, with the fix where it is a setting of DVC's own."""
    from dvc.config import NoRemoteError, RemoteNotFoundError

    if isinstance(error, NoRemoteError | RemoteNotFoundError):
        return "dvc has no default remote (dvc remote add --default NAME ADDRESS, and commit .dvc/config)"
    last = list(_causes(error))[-1]
    message = " ".join(str(last).split()) or type(last).__name__
    return f"its remote says: {message[:200]}"


def share_cache(root: Path, home: Path) -> None:
    """Let the tree at ``root`` use the cache and remotes of the main checkout at ``home``, by ``.dvc/config.local``."""
    if root.resolve() == home.resolve():
        return
    _require(root)
    _require(home)
    local = root / ".dvc" / "config.local"
    theirs = home / ".dvc" / "config.local"
    whole = local.is_file() and local.read_bytes().endswith(WHOLE.encode())
    if whole and (not theirs.is_file() or theirs.stat().st_mtime_ns <= local.stat().st_mtime_ns):
        return
    quiet_environment()
    from configobj import ConfigObj
    from dvc.config import Config, ConfigError

    try:
        where = Config(str(home / ".dvc")).get("cache", {}).get("dir") or str(home.resolve() / ".dvc" / "cache")
    except ConfigError as error:
        message = " ".join(str(error).split())
        raise EnvironmentFault(f"{home}/.dvc/config: {message[:200]}; fix it, or git restore .dvc/config") from error
    settings = ConfigObj(theirs.read_text().splitlines() if theirs.is_file() else None)
    settings.setdefault("cache", {})["dir"] = os.path.abspath(where)
    write_text("\n".join(settings.write()) + WHOLE, local)


def stage_environment(root: Path) -> dict[str, str]:
    """What a stage's command needs: the tree's own ``src`` and this interpreter before any other.

    What it prints is written at once, so that what stops it comes last.
    """
    inherited = os.environ.get("PYTHONPATH", "")
    own = [str(root / "src")] if (root / "src" / "homeostat").is_dir() else []
    search = os.pathsep.join([*own, *([inherited] if inherited else [])])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "PYTHONUNBUFFERED": "1", **({"PYTHONPATH": search} if search else {})}


def _require(root: Path) -> None:
    if not (root / ".dvc").is_dir():
        raise EnvironmentFault(f"{root}: no .dvc folder; run dvc init and commit .dvc")


@contextmanager
def _repo(root: Path) -> Iterator[Repo]:
    """The DVC repository of exactly this folder, quiet, one at a time in this process.

    DVC looks for its files and its run cache from where the process stands, so the process stands there meanwhile.
    """
    _require(root)
    quiet_environment()
    from dvc.repo import Repo

    logs = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    levels = [log.level for log in logs]
    with _one_at_a_time:
        for log in logs:
            log.setLevel(logging.CRITICAL + 1)  # its messages come to us as exceptions
        try:
            with contextlib.chdir(root), texts_parsed_once(), Repo(str(root)) as repo:
                yield repo
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)


@contextmanager
def _commands(root: Path, worker: StageProcess | None, ran: list[str]) -> Iterator[None]:
    """Run the commands of stages in their environment, their output in the log; note in ``ran`` that each began.

    DVC has no setting for where a command writes, nor for who runs it. The command of one of our stages goes to
    ``worker``; any other runs as DVC runs it.
    """
    from dvc.env import DVC_STAGE
    from dvc.stage import run as stages
    from dvc.stage.exceptions import StageCmdFailedError

    usual: Callable[..., None] = stages._run
    (root / ".dvc" / "tmp").mkdir(exist_ok=True)
    with _log(root).open("wb") as log:

        def run(executable: str | None, cmd: str, **settings: Any) -> None:
            folder, environment = Path(settings["cwd"]), settings["env"] | stage_environment(root)
            if environment[DVC_STAGE] not in ran:
                ran.append(environment[DVC_STAGE])
            output = _emptied(log)
            module = stage_of(cmd) if folder.samefile(root) else None
            if worker is None or module is None or not worker.ready_for(root, environment, output):
                streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
                usual(executable, cmd, **settings | streams | {"env": environment})
                return
            with _ctrl_c_left_to_stage():
                code = worker.run(module, folder, environment, _log(root))
            if code:
                raise StageCmdFailedError(cmd, code)

        stages._run = run
        try:
            yield
        finally:
            stages._run = usual


def _import_ahead(root: Path, worker: StageProcess, stages: Sequence[str]) -> None:
    """Have the process that will run these stages import them while DVC finds out what they need."""
    _require(root)
    _log(root).parent.mkdir(exist_ok=True)
    with _log(root).open("ab") as log:
        environment = os.environ | stage_environment(root)
        worker.begin(root, environment, log, [f"homeostat.stages.{stage}" for stage in stages])


@contextmanager
def _ctrl_c_left_to_stage() -> Iterator[None]:
    """Let Ctrl-C end the stage, which hears it too, and not this process before it, as DVC does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:  # else it was set outside Python, which cannot set it again
            signal.signal(signal.SIGINT, before)


def _log(root: Path) -> Path:
    return root / ".dvc" / "tmp" / "stages.log"


def _emptied(log: IO[bytes]) -> IO[bytes]:
    """The log from its start: it holds the stage that runs, so the last line after a failure is that stage's."""
    log.seek(0)
    log.truncate()
    return log


def _patiently(root: Path, once: Callable[[], T], patience: float = PATIENCE) -> T:
    """Call ``once``, again with back-off while another run is at work, and tell what goes wrong in one line.

    Where DVC itself fails, and no stage does, it is called once more without what DVC has at hand.
    """
    quiet_environment()
    from dvc.exceptions import DvcException

    waited, pause, repaired = 0.0, 0.1, False
    while True:
        try:
            return once()
        except (DvcException, sqlite3.DatabaseError) as error:
            if not _is_busy(error):
                if repaired or _is_of_stage(error) or _is_of_settings(error):
                    raise _translated(root, error) from error
                remove_caches(root)
                repaired = True
                continue
            if waited >= patience:
                raise EnvironmentFault(f"{root}: another dvc run is at work here; wait for it or stop it") from error
        time.sleep(pause)
        waited, pause = waited + pause, min(2 * pause, 5.0)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_busy(error: BaseException) -> bool:
    from dvc.lock import LockError

    return any(isinstance(e, LockError) for e in _causes(error))


def _is_of_stage(error: BaseException) -> bool:
    from dvc.stage.exceptions import StageCmdFailedError

    return any(isinstance(e, StageCmdFailedError) for e in _causes(error))


def _is_of_settings(error: BaseException) -> bool:
    from dvc.config import ConfigError

    return any(isinstance(e, ConfigError) for e in _causes(error))


def _translated(root: Path, error: BaseException) -> HomeostatError | KeyboardInterrupt:
    from dvc.exceptions import ReproductionError

    chain = list(_causes(error))
    if not _is_of_stage(error):
        why = " ".join(str(next(e for e in chain if not isinstance(e, ReproductionError))).split())
        return EnvironmentFault(f"{root}: dvc: {why}; fix that and run again")
    ended_by = _signal_of(str(chain[-1]))
    if ended_by == signal.SIGINT:
        return KeyboardInterrupt()
    lines = [line for line in _log(root).read_text(errors="replace").splitlines() if line.strip()]
    last = lines[-1].strip() if lines else f"no word; {chain[-1]}"
    raised = _RAISED.match(last)
    if raised:
        kind: type[HomeostatError] = getattr(errors, raised[1])
        return kind(raised[2])
    stage = str(chain[-1]).partition("homeostat.stages.")[2].partition(",")[0] or "of dvc.yaml"
    if ended_by is not None:
        why = "out of memory, or ended from outside" if ended_by == signal.SIGKILL else "a crash, or ended from outside"
        last = f"killed by {ended_by.name} ({why}); run again"
    return EnvironmentFault(f"{root}: stage {stage}: {last}; details in {_log(root)}")


def _signal_of(failure: str) -> signal.Signals | None:
    """The signal that ended a stage's process, by DVC's word of its exit code: the process's own, or its shell's."""
    code = re.search(r"exited with (-?\d+)$", failure)
    number = int(code[1]) if code else 0
    with contextlib.suppress(ValueError):
        return signal.Signals(-number if number < 0 else number - 128)
    return None
