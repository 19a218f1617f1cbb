"""``/docs`` as a person meets it: in a browser, with the token as the password, and its lines typed in a shell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import httpx
import pytest
from browser import needs_browser, tab
from under_load import served

from homeostat.project.layout import Project
from homeostat.serving.auth import read_or_make_token

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@needs_browser
def test_it_opens_in_a_browser_with_the_token(project: Project, tmp_path: Path) -> None:
    with served(project) as service, tab(tmp_path / "browser") as page:
        token = read_or_make_token(project)
        page.open(service.address.replace("http://", f"http://:{token}@") + "/")
        assert page.run("location.pathname") == "/docs"
        text = page.text
        for name, meaning in (
            ("how", "computed: on request"), ("risk", "the expected cost of no alert"),
            ("as_of", "Only data that were known by then are used"), ("?how=computed", "use no answer that is already"),
        ):  # fmt: skip
            assert name in text and meaning in text
        assert f"{service.address}/predict" in text
        loaded = page.run("performance.getEntriesByType('resource').map(one => one.name)")
        assert [name for name in loaded if not name.startswith((service.address, "data:"))] == []


def test_a_browser_without_the_token_is_asked_for_it_in_two_headers(project: Project) -> None:
    with served(project) as service:
        refused = httpx.get(service.address + "/docs", trust_env=False)
        assert refused.status_code == 401
        schemes = [value.split()[0] for value in refused.headers.get_list("www-authenticate")]
        assert schemes == ["Bearer", "Basic"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_each_line_can_be_typed_as_it_stands(project: Project) -> None:
    with served(project) as service:
        answers = {}
        for line in map(unescape, re.findall(r"<pre class=curl>(.*?)</pre>", service.get("/docs").text)):
            done = subprocess.run(["sh", "-c", line], cwd=project.home, capture_output=True, text=True, check=True)
            answers[line.rpartition("/")[2]] = done.stdout
        assert sorted(answers) == ["labels", "live", "metrics", "predict", "rank", "ready", "release"]
        assert len(json.loads(answers["predict"])["predictions"]) == 2
        assert {one["status"] for one in json.loads(answers["labels"])["labels"]} == {"kept"}
        assert json.loads(answers["ready"]) == {"ready": True}
