"""Plans, made from what is true now. Pure."""

from jobs.plan.acceptance import acceptance, candidate, pending_node, quorum_after_one_more, rejection
from jobs.plan.engine import CONFFILE, target
from jobs.plan.membership import role_of
from jobs.plan.migration import migration
from jobs.plan.model import Plan, Refusal, fingerprint

__all__ = [
    "CONFFILE",
    "Plan",
    "Refusal",
    "acceptance",
    "candidate",
    "fingerprint",
    "migration",
    "pending_node",
    "quorum_after_one_more",
    "rejection",
    "role_of",
    "target",
]
