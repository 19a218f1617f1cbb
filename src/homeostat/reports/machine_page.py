"""The page over all projects of a machine: whether each needs a person, and its releases, decisions and incidents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from homeostat.core.errors import HomeostatError
from homeostat.project.layout import Project
from homeostat.reports import status
from homeostat.reports.document import document, prose
from homeostat.reports.timeline import timeline

STYLE = "section { margin-bottom: 32px; } section h2 { border: 0; margin-top: 20px; padding: 0; }"


def machine_page(projects: Mapping[str, Path]) -> str:
    """The page of the projects, by the part of the address below which each has its pages."""
    sections = [_section(name, folder) for name, folder in projects.items()]
    body = ["<h1>Projects of this machine</h1>", *(sections or ["<p>None has run yet.</p>"])]
    return document("Homeostat", body, STYLE)


def _section(name: str, folder: Path) -> str:
    try:
        return f"<section>{''.join(_project(name, Project.find(folder)))}</section>"
    except HomeostatError as error:
        return f'<section><h2>{escape(folder.name)}</h2><p class="bad">{escape(str(error))}</p></section>'


def _project(name: str, project: Project) -> Iterator[str]:
    now = status.read(project)
    state = status.state(now)
    yield f'<h2><a href="{escape(name)}/">{escape(now.project)}</a></h2>'
    yield f'<p class="soft">{escape(now.folder)}</p>'
    if state is not None:
        yield f'<p><b class="{"bad" if state.urgent else "good"}">{escape(state.text)}</b></p>'
    yield "".join(f"<p>{prose(item.text)}</p>" for item in now.open[: status.SHOWN] if item.alerts)
    yield timeline(project, f"{name}/incidents/")
