"""Answers by the models of this folder: python predict.py '{"FEATURE": 1}', or a request a line from standard input.

Needs onnxruntime and NumPy. A feature left out takes the manifest's default. The golden rows are answered first: where
one comes out otherwise than it was sealed, nothing is answered. No network but HOMEOSTAT_SERVICE, if that is set."""
from __future__ import annotations
import json, math, os, sys, urllib.request
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any
import numpy as np
import onnxruntime

def sigmoid(x: float) -> float:
    small = math.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1.0 + small)

class Device:
    def __init__(self, folder: Path, service: str | None = None) -> None:
        self.manifest, self.service = json.loads((folder / "manifest.json").read_text("utf-8")), service
        files = {name: (folder / name).read_bytes() for name in self.manifest["files"]}
        if damaged := [name for name in files if sha256(files[name]).hexdigest() != self.manifest["files"][name]]:
            raise SystemExit(f"{folder}: {', '.join(damaged)} damaged; export the release again")
        options, self.parts = onnxruntime.SessionOptions(), self.manifest["objectives"]
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # more would sum in another order
        self.models = {n: onnxruntime.InferenceSession(files[part["file"]], options) for n, part in self.parts.items()}
        self.stored = {json.dumps(known): scores for known, scores in json.loads(files["answers.json"])}
        rows = [row["features"] for row in json.loads(files["golden.json"])]
        answers = [{"raw": raw, "alert": a["alert"]} for raw, a in zip(self.raw(rows), self.computed(rows))]
        if json.loads(files["golden.json"]) != [{"features": row} | answer for row, answer in zip(rows, answers)]:
            raise SystemExit(f"{folder}: answers a golden row otherwise than it was sealed; export the release again")

    def code(self, feature: dict[str, Any], request: dict[str, Any]) -> float:
        value = request.get(feature["name"], self.manifest["defaults"].get(feature["name"]))
        if (words := feature.get("categories")) is not None:  # a word that training did not see counts as missing
            return float(words.index(value)) if value in words else math.nan
        return float(value) if value is not None and math.isfinite(value) else math.nan

    def raw(self, requests: list[dict[str, Any]]) -> list[dict[str, float]]:
        by_part = {}
        for name, part in self.parts.items():
            rows = np.array([[self.code(f, request) for f in part["features"]] for request in requests])
            by_part[name] = self.models[name].run(None, {"rows": rows})[0][:, 0].tolist()
        return [{name: by_part[name][n] for name in by_part} for n in range(len(requests))]

    def score(self, name: str, raw: float) -> float:
        value = sigmoid(raw) if self.parts[name]["task"] == "binary" else raw
        if calibrator := self.parts[name].get("calibrator"):
            p = min(max(value, calibrator["least"]), 1 - calibrator["least"])
            value = sigmoid(calibrator["slope"] * (math.log(p) - math.log1p(-p)) + calibrator["intercept"])
        return value

    def computed(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self.decided({name: self.score(name, raw[name]) for name in raw}) for raw in self.raw(requests)]

    def decided(self, scores: dict[str, float]) -> dict[str, Any]:
        risk, quiet, tasks = 0.0, self.manifest["alert_cost"], {self.parts[name]["task"] for name in scores}
        for name, score in scores.items():
            risk += self.parts[name]["weight"] * score
            quiet *= 1 - score if self.parts[name]["task"] == "binary" else 1
        return {"scores": scores, "risk": risk, "alert": "ranking" in tasks or risk > quiet}

    def answer(self, request: dict[str, Any], event: dict[str, Any] | None = None) -> dict[str, Any]:
        now, known = datetime.now(timezone.utc).isoformat(), self.manifest["known"]
        scores = self.stored.get(json.dumps([request.get(name) for name in known]))
        if scores and now < self.manifest["answers_until"] and request.keys() <= set(known):
            return {**self.decided(scores), "release": self.manifest["release"], "from": "stored answer"}
        if now < self.manifest["expires"]:
            return {**self.computed([request])[0], "release": self.manifest["release"], "from": "device"}
        if not (self.service and event):
            raise SystemExit(f"expired on {self.manifest['expires'][:10]}; export a newer release")
        headers = {"Authorization": f"Bearer {os.environ['HOMEOSTAT_TOKEN']}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self.service + "/predict", json.dumps({"events": [event]}).encode(), headers)
        reply = json.load(urllib.request.urlopen(asked, timeout=10))
        return {**reply["predictions"][0], "release": reply["release"], "from": "service"}

if __name__ == "__main__":
    device = Device(Path(__file__).resolve().parent, os.environ.get("HOMEOSTAT_SERVICE"))
    for line in sys.argv[1:] or sys.stdin:
        print(json.dumps(device.answer(json.loads(line))), flush=True)
