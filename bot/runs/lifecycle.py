"""Start runs, record decisions and holds, and enqueue the jobs that follow."""

from dataclasses import replace

from bot.records import Decision, RunRecord
from bot.runs import holds, queue
from bot.runs.posted_messages import SHOWN
from bot.runs.snapshots import SnapshotStore
from bot.state.next_request import next_request
from imker.failpoints import failpoint
from imker.protocol import version
from imker.protocol.commands import Hold, Request
from imker.protocol.events import DecisionRequested


class RunLifecycle(SnapshotStore):
    """Change runs.

    Each change is recorded before its job is enqueued. If the bot crashes in between, the reconciler enqueues the job
    under the same ID, and RQ accepts each ID once.
    """

    def start(self, record: RunRecord, response_url: str = "") -> bool:
        """Record and enqueue a run. Return False if the run was recorded before."""
        is_new = self.write_record(record)
        failpoint("run.saved")
        if response_url:
            self.write_response_url(record.run, response_url)
        self.index_run(record)
        failpoint("run.opened")
        self.enqueue(record)
        return is_new

    def decide(self, record: RunRecord, decision: Decision, needed: int = 1) -> Decision:
        """Record a decision and return the one that took effect.

        Approvals fill `needed` slots in order, one per person. A rejection takes the next slot and closes the
        question. Slots are write-once, so concurrent clicks cannot both win. Raises TamperedRecord.
        """
        effective = self._take_slot(record.run, decision, needed)
        if effective == decision:
            failpoint("decision.saved")
            self.advance(record.run, decision.job)
        return effective

    def advance(self, run: str, job: int) -> None:
        """Enqueue the job that follows from the decision on this job's question.

        Safe to repeat: a bot may have crashed between the decision and its job.
        """
        self.reopen(run)
        snapshot = self.snapshot(run)
        if snapshot and snapshot.record.job_count > job:
            self.enqueue(snapshot.record, snapshot.answered_question())
        self.notify(run)

    def enqueue(self, record: RunRecord, question: DecisionRequested | None = None) -> None:
        """Enqueue the run's last job unless RQ has it. A job that resumes a paused run ends the pause.

        `question`: the one whose answer led to this job, None for the first job.
        """
        if question and question.question == "resume":
            last = record.decisions[-1]
            holds.add(self._redis, self._key, record.run, Hold("resume", last.user, last.decided_at))
        request = replace(next_request(record, question), expires_at=record.expires)
        queue.enqueue(self._redis, request, self._key)
        failpoint("run.enqueued")
        self.notify(record.run)

    def enqueue_once(self, request: Request) -> None:
        """Enqueue the job of a request without a run of its own, unless RQ has it."""
        queue.enqueue(self._redis, request, self._key)

    def is_outstanding(self, request: Request) -> bool:
        """Return whether the request's job waits in its queue or runs."""
        status = queue.job_status(self._redis, version.job_id(request.run, request.job), if_missing="lost")
        return status in ("queued", "running")

    def hold(self, run: str, hold: Hold) -> None:
        """Record a pause, resume, or cancel.

        Jobs check it between steps. The reconciler checks it before it starts a fleet's next host.
        """
        holds.add(self._redis, self._key, run, hold)
        failpoint("hold.saved")
        self.reopen(run)
        self.notify(run)

    def show(self, run: str, user: str) -> None:
        """Let the reconciler post a private answer to the channel. Safe to repeat."""
        self.posted_messages.update(run, **{SHOWN: user})
        self.reopen(run)
        self.notify(run)

    def notify(self, run: str) -> None:
        """Wake the reconciler."""
        self._redis.publish(version.WAKE_CHANNEL, run.encode() + version.OUTCOME_MARK)

    def _take_slot(self, run: str, decision: Decision, needed: int) -> Decision:
        """Write the decision into the first free slot. Return it, or the decision that keeps it out."""
        stored_decision = decision
        for slot in range(1, needed + 1):
            stored_decision = self._decisions.write_once(run, decision, slot)
            if stored_decision == decision or stored_decision.choice != "accept":
                break
            if decision.choice == "accept" and decision.user == stored_decision.user:
                break
        return stored_decision
