"""Make plans from the current state. Pure."""

from jobs.plan.acceptance import (
    acceptance_steps,
    build_candidate,
    find_pending_node,
    plan_acceptance,
    plan_rejection,
    quorum_with_one_more,
)
from jobs.plan.engine import CONFFILE, choose_version
from jobs.plan.membership import effective_role
from jobs.plan.migration import plan_migration
from jobs.plan.model import Plan, Refusal, compute_fingerprint

__all__ = [
    "CONFFILE",
    "Plan",
    "Refusal",
    "acceptance_steps",
    "build_candidate",
    "choose_version",
    "compute_fingerprint",
    "effective_role",
    "find_pending_node",
    "plan_acceptance",
    "plan_migration",
    "plan_rejection",
    "quorum_with_one_more",
]
