"""All dashboards."""

from __future__ import annotations

from plancton.monitor.dashboards.fleet_influxdb import FLEET_INFLUXDB
from plancton.monitor.dashboards.fleet_prometheus import FLEET_PROMETHEUS
from plancton.monitor.dashboards.node_influxdb import NODE_INFLUXDB
from plancton.monitor.dashboards.node_prometheus import NODE_PROMETHEUS

DASHBOARDS = (NODE_INFLUXDB, FLEET_INFLUXDB, NODE_PROMETHEUS, FLEET_PROMETHEUS)
