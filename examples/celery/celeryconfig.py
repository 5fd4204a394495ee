"""Celery on nodes that may be taken away at any time."""

import os

broker_url = result_backend = os.environ["BROKER"]
task_acks_late = True  # a task is done when it has ended, not when it was fetched
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1  # hold nothing back from others
# Asked to end, finish what can be finished in the grace, then give the rest back.
worker_soft_shutdown_timeout = max(1.0, float(os.environ.get("PLANCTON_GRACE", "10")) - 5)
# Tasks of a worker that was killed come back after this; longer than the longest task.
broker_transport_options = {"visibility_timeout": int(os.environ.get("VISIBILITY", "43200"))}
