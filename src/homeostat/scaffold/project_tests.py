"""Checks that every project runs before a commit: its ``tests/test_project.py`` names the folder and adds its own."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from homeostat.adapters import dvc_yaml
from homeostat.checks.leakage import check
from homeostat.checks.scope_page import scope_page
from homeostat.checks.worktree_view import worktree_view
from homeostat.project.layout import Project

EVENTS = 200  # that leakage is sought in; `homeostat check leakage` takes more


class ProjectTests(unittest.TestCase):
    """Scope, contracts, features, DAG and leakage of the project in ``folder``."""

    folder: Path
    project: Project

    @classmethod
    def setUpClass(cls) -> None:
        cls.project = Project.find(cls.folder)

    def test_scope_contracts_and_features_are_consistent(self) -> None:
        self.assertEqual(scope_page(self.project).problems, ())

    def test_every_rule_of_a_contract_has_a_reason(self) -> None:
        for path in sorted(self.project.contracts.glob("*.json")):
            for rule in json.loads(path.read_text(encoding="utf-8"))["expectations"]:
                with self.subTest(contract=path.name, rule=rule["type"], kwargs=rule["kwargs"]):
                    self.assertTrue(rule.get("meta", {}).get("reason"))

    def test_no_feature_is_a_column_that_is_known_with_the_label(self) -> None:
        for name, objective in self.project.scope.objectives.items():
            late = set(self.project.scope.event_source.known_at[objective.known].columns)
            self.assertEqual(late & set(objective.features), set(), f"objectives.{name}.features")

    def test_no_feature_sees_the_future(self) -> None:
        project = worktree_view(self.project)
        if not any((project.accepted / project.scope.events.source).glob("*.parquet")):
            self.skipTest("no data yet: homeostat run data")
        report = check(project, EVENTS)
        self.assertFalse(report.failed, report.text)

    def test_the_dag_lists_what_the_scope_names(self) -> None:
        root = self.project.root
        self.assertEqual((root / "dvc.yaml").read_text(encoding="utf-8"), dvc_yaml.rewritten(root), "run: make dag")
