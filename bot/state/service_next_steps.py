"""Define the next steps of services, for the table of next steps. Pure."""

from typing import Literal

from bot.state.next_step import NextStep
from imker.protocol.service_events import ServiceRow

ServiceSituation = Literal["service", "unhealthy_service", "global_service", "read", "service_changed"]

SHOW_SERVICE = NextStep("show_service", "Show service", "service {service}", "Show {service}")
RESTART = NextStep(
    "restart", "Restart", "restart {service}", "Restart {service}",
    confirm="Imker replaces the tasks of {service} by new ones, as its update settings say.",
)  # fmt: skip
SCALE_UP = NextStep(
    "scale_up", "Add a task", "scale {service}={one_more}", "Scale {service} to {one_more}",
    confirm="Imker scales {service} to {one_more} tasks.",
)  # fmt: skip
ROLL_BACK = NextStep("roll_back", "Roll back", "rollback {service}", "Roll back {service}", "danger")  # it always asks


def service_situation(row: ServiceRow) -> ServiceSituation:
    """Return what a reader of this service can do with it. A job can only be read."""
    if row.mode.endswith("-job"):
        return "read"
    if row.mode == "global":
        return "global_service"
    return "unhealthy_service" if row.status in ("unhealthy", "paused") else "service"
