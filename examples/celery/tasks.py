"""Yours: what is worth doing."""

import time

from celery import Celery

app = Celery("tasks")
app.config_from_object("celeryconfig")


@app.task
def square(number, seconds):
    """Think for a while."""
    time.sleep(seconds)
    return number * number
