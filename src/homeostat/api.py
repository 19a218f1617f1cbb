"""The public API: what the code of a project, its ``flows/`` and ``tests/``, may import. All other names may change.

- ``run_context``: lock a project for one run; its session, which the steps take, and its time. ``Project``: its folder,
  with ``scope`` and the paths of its files.
- The steps of the loop, in order: ``take_in_data``, ``release_weights``, ``predict``, ``advance_rollout``, ``decide``;
  ``tick`` is all of them once. ``retrain`` decides with a fresh candidate, ``judge_candidate`` reports on one and
  releases nothing; ``answer_decision`` has a person approve or decline the decision that waits.
- ``DataOutcome``, ``Decision``, ``Tick``: their results.
- ``project_flow``: makes a function a Prefect flow, whose runs are named after the project and the tick.
- ``retried_task``: makes a function a Prefect task that is retried when the outside world fails.
- ``publish``: a result to the log of the flow, to artifacts and events.
- ``project_tests``: its ``ProjectTests`` are the checks before a commit, for ``tests/`` to inherit.
- ``schedules``: the table of ``flows/schedules.py``; ``end_dead_runs``: a step of ``prefect deploy``.

A module of its own, because ``homeostat/__init__.py`` is part of the code that every release is made from.
"""

from homeostat.adapters.prefect import project_flow, retried_task
from homeostat.core.findings import Decision
from homeostat.decisions.approvals import answer_decision
from homeostat.decisions.candidate import judge_candidate
from homeostat.decisions.decide import decide
from homeostat.decisions.reweigh import release_weights
from homeostat.decisions.rollout import advance_rollout
from homeostat.loop import DataOutcome, Tick, predict, retrain, tick
from homeostat.loop import data as take_in_data
from homeostat.project.layout import Project
from homeostat.scaffold import project_tests
from homeostat.scheduling.publish import publish, run_context
from homeostat.scheduling.up import end_dead_runs, schedules

__all__ = [
    "DataOutcome",
    "Decision",
    "Project",
    "Tick",
    "advance_rollout",
    "answer_decision",
    "decide",
    "end_dead_runs",
    "judge_candidate",
    "predict",
    "project_flow",
    "project_tests",
    "publish",
    "release_weights",
    "retrain",
    "retried_task",
    "run_context",
    "schedules",
    "take_in_data",
    "tick",
]
