"""When each flow runs: a length of the scope's rhythm, in project time; None: when asked, by `homeostat run NAME`.

The lifecycle is scheduled alone: data come before predictions and predictions before a decision, which separate
schedules could not promise, and its tick asks the rhythm itself whether a decision and a fresh candidate are due.
"""

from flows.data import data
from flows.deployment import deployment
from flows.evaluation import evaluation
from flows.lifecycle import lifecycle
from flows.monitoring import monitoring
from flows.training import training

SCHEDULES = (
    (lifecycle, "tick"),
    (data, None),
    (deployment, None),
    (monitoring, None),
    (training, None),
    (evaluation, None),
)
