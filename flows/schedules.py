"""When each flow runs: an entry of the scope's rhythm, in project time; None: on request, by `homeostat run NAME`.

Only the lifecycle is scheduled: data come before predictions and predictions before a decision, which separate
schedules could not guarantee, and its tick reads from the rhythm whether a decision and a candidate are due.
"""

from flows.approval import approval
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
    (approval, None),
)
