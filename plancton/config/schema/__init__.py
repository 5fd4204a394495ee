"""The configuration: frozen models that parse, check and document themselves, a group a file.

Durations are seconds and sizes bytes once read; in files both may carry units.
"""

from plancton.config.schema.config import Config, Groups, Rule
from plancton.config.schema.figure import Figure
from plancton.config.schema.image import Image
from plancton.config.schema.monitor import ElasticTarget, InfluxTarget, Monitor
from plancton.config.schema.node import Node
from plancton.config.schema.objective import Objective
from plancton.config.schema.pilots import Profile, Ulimit
from plancton.config.schema.protect import (
    Battery,
    Calendar,
    Disk,
    Load,
    Memory,
    Protect,
    Stall,
    Stalls,
    User,
)
from plancton.config.schema.remote import Allow, Remote
from plancton.config.schema.spawn import Spawn

__all__ = [
    "Allow",
    "Battery",
    "Calendar",
    "Config",
    "Disk",
    "ElasticTarget",
    "Figure",
    "Groups",
    "Image",
    "InfluxTarget",
    "Load",
    "Memory",
    "Monitor",
    "Node",
    "Objective",
    "Profile",
    "Protect",
    "Remote",
    "Rule",
    "Spawn",
    "Stall",
    "Stalls",
    "Ulimit",
    "User",
]
