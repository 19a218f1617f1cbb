"""Unpacked releases: each in a folder named by its hash, verified when it is read, restored from the DVC cache."""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from pathlib import Path

from homeostat.adapters import dvc
from homeostat.core.errors import DataError, EnvironmentFault
from homeostat.project.layout import BUNDLE, Project
from homeostat.project.whole_files import beside
from homeostat.training import bundle as bundles
from homeostat.training.bundle import Bundle

LOADED = 6  # bundles kept in memory: the champion, the one before, the first that learned, a challenger, two more


class BundleStore:
    """The unpacked releases of one project; those used last stay loaded for as long as the store lives."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._loaded: OrderedDict[str, Bundle] = OrderedDict()
        self.restored: dict[str, str] = {}  # by hash, why a bundle was unpacked again

    def load(self, commit: str, bundle_hash: str) -> Bundle:
        """The bundle of that hash, from memory, from its folder, or from the DVC cache at ``commit``.

        Raises:
            EnvironmentFault: it is not unpacked and the cache lacks it.
            DataError: the bundle of that commit is another one.
        """
        folder = self._project.releases / bundle_hash
        bundle = self._loaded.get(bundle_hash)
        if bundle is None or not folder.is_dir():
            bundle = self._loaded[bundle_hash] = self._verified(folder, commit, bundle_hash)
        self._loaded.move_to_end(bundle_hash)
        while len(self._loaded) > LOADED:
            self._loaded.popitem(last=False)
        return bundle

    def _verified(self, folder: Path, commit: str, bundle_hash: str) -> Bundle:
        try:
            return bundles.load(folder, bundle_hash)
        except DataError as error:  # absent, or damaged since: what was released is in the cache
            why = str(error).rpartition(";")[0] if folder.is_dir() else f"{folder} was not there"
            self._unpack(folder, commit, bundle_hash)
            self.restored[bundle_hash] = why
            return bundles.load(folder, bundle_hash)

    def _unpack(self, folder: Path, commit: str, bundle_hash: str) -> None:
        """Fill ``folder`` whole or not at all: the copy is verified beside it, then put in its place."""
        fresh = beside(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            dvc.restore_out(self._project.home, commit, BUNDLE, fresh)
            bundles.load(fresh, bundle_hash)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(fresh, folder)
        except OSError as error:
            if not folder.is_dir():  # else another process has just put it there
                raise EnvironmentFault(
                    f"{folder}: cannot be written: {error.strerror}; free the disk and run again"
                ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
