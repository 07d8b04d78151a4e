"""Ask whether to start a change, if `[rights] confirm` says that each change waits for a person who saw its plan."""

from imker.protocol.events import DecisionRequested
from jobs.context import JobContext
from jobs.plan import Plan

PROPOSALS = ("accept", "start_containers", "stop_store", "remove_store")  # questions that propose one certain change


def start_question(
    context: JobContext, host: str, plan: Plan, also_valid: tuple[str, ...] = ()
) -> DecisionRequested | None:
    """Return the question whether to start the plan, None if it may run.

    An approval is valid for the plan that was shown: with another plan the question is asked again. `also_valid`: other
    fingerprints whose approval covers the plan.
    """
    if not context.settings.rights.confirm or not plan.steps or _answers_a_question_about_it(context):
        return None
    valid = (plan.fingerprint, *also_valid)
    if any(approval.fingerprint in valid for approval in context.request.approvals):
        return None
    return DecisionRequested("start", plan.fingerprint, host=host)


def _answers_a_question_about_it(context: JobContext) -> bool:
    """Return whether this job follows from the approval of a question that proposed this very change."""
    request = context.request
    question = context.events.question_of(request.job - 1) if request.approvals else None
    return question is not None and question.question in PROPOSALS
