"""What a scheduler's answers about one job come to over time: silence is not an end, and an end is asked for twice."""

from __future__ import annotations

import msgspec

from .verdict import Facts, Observation, needs_word

# How often and for how long (seconds) a job must be missing from complete answers before the accounting decides.
ABSENCES = 3
ABSENT_FOR = 120.0
# Seconds that a job script's record of a bad end waits for the scheduler to name the cause.
SETTLE = 60.0
# Seconds between two looks into an accounting that did not answer.
ACCOUNT_AGAIN = 60.0
# Seconds between two looks for the record of a job that has just ended: some accountings are written 15 s later.
ACCOUNT_SOON = 8.0
# How often the accounting may say that a job lives which is missing all the time: accounts of lost jobs stay open.
ACCOUNTED_ALIVE = 3


class Conclusion(msgspec.Struct, frozen=True):
    """What is to be believed of a job now.

    ``account``: the accounting should be asked. ``soon``: the next poll should come soon. ``again``: seconds until the
    same question has another answer, None if only news can change it. ``withdraw``: it was cancelled while it waited,
    and its scheduler knows it no more; it ended so if its start can be taken away from it.
    """

    observation: Observation | None
    account: bool = False
    soon: bool = False
    again: float | None = None
    withdraw: bool = False


class Sighting:
    """What one attempt of a job was seen as. Times are seconds of any steady clock."""

    __slots__ = (
        "_absences",
        "_absent_last",
        "_absent_since",
        "_account_due",
        "_alive_on_paper",
        "_asked",
        "_begun",
        "_cancelled",
        "_ended",
        "_gone",
        "_gones",
        "_last",
        "_record",
        "attempt",
    )

    def __init__(self, attempt: int) -> None:
        """Start with nothing seen."""
        self.attempt = attempt
        self._last: Observation | None = None
        self._asked = 0.0
        self._gone: float | None = None
        self._gones = 0
        self._absent_since: float | None = None
        self._absent_last = 0.0
        self._absences = 0
        self._begun: float | None = None
        self._cancelled: float | None = None
        self._ended: float | None = None
        self._record: Observation | None = None
        self._account_due = 0.0
        self._alive_on_paper = 0

    def answered(self, seen: Observation | None, complete: bool, asked: float) -> bool:
        """Take what an answer says of the job, None if it is not in it. ``asked``: when the question was put.

        True if the conclusion may be another one now.
        """
        if seen is None:
            if complete:
                if self._absent_since is None:
                    self._absent_since = asked
                self._absent_last = asked
                self._absences += 1
            return complete
        self._absences, self._absent_since, self._alive_on_paper = 0, None, 0
        news = seen != self._last or seen.presence == "gone"
        self._last, self._asked = seen, asked
        if seen.presence != "gone":
            # Seen alive again: what looked like an end was none.
            self._gone, self._gones, self._record, self._account_due = None, 0, None, 0.0
            return news or self._begun is not None
        self._gone = asked if self._gone is None else self._gone
        self._gones += 1
        return True

    def cancelled(self, now: float) -> None:
        """The scheduler took the order to cancel the job; only what it says from now on tells what became of that."""
        self._cancelled = now
        self._absences, self._absent_since = 0, None

    def accounted(self, seen: Observation | None, complete: bool, now: float) -> None:
        """Take what the accounting says of the job; None and ``complete``: it has no record of it."""
        if seen is not None and seen.presence != "gone":
            # It lives, says the accounting; so it has to be missing for as long again.
            self._absences, self._absent_since = 0, None
            self._account_due = now + ACCOUNT_AGAIN
            self._alive_on_paper += 1
            if self._alive_on_paper >= ACCOUNTED_ALIVE:
                self._account_due = float("inf")
        elif seen is not None:
            self._record = seen
        elif complete:
            begun = self._begun is not None or (self._last is not None and self._last.started > 0)
            ran = self._ended is not None or (self._gone is not None and begun)
            self._account_due = now + ACCOUNT_SOON if ran else float("inf")
        else:
            self._account_due = now + ACCOUNT_AGAIN

    def conclude(self, facts: Facts, now: float, rc_grace: float, can_account: bool) -> Conclusion:
        """Say what to believe. ``rc_grace``: seconds within which a file written on a node is surely seen here."""
        attached = facts.spec is not None and facts.spec.attached is not None
        if attached:
            # No script of ours leaves a record.
            rc_grace = 0.0
        if facts.end is not None:
            return self._with_end(facts, now, can_account)
        if facts.claimed and self._begun is None:
            self._begun = now
        if self._gone is not None and self._last is not None:
            return self._gone_without_record(self._last, facts, now, rc_grace, can_account)
        if not attached and self._is_withdrawn(facts):
            return Conclusion(self._alive(), withdraw=True)
        if self._absences >= ABSENCES and self._absent_last - (self._absent_since or 0.0) >= ABSENT_FOR:
            return self._absent(now, can_account)
        return Conclusion(self._alive())

    def _is_withdrawn(self, facts: Facts) -> bool:
        """Whether a job was cancelled and is gone since: some schedulers keep no trace of one that never started."""
        since = self._absent_since
        twice = self._absences >= 2 and since is not None and self._cancelled is not None and since > self._cancelled
        return twice and not facts.claimed

    def _alive(self) -> Observation | None:
        """The last sighting, unless job.begin is there since, which is the better news."""
        last = self._last
        if last is None or self._begun is None or last.presence not in ("pending", "held"):
            return last
        if self._asked <= self._begun:
            return Observation("running")
        return msgspec.structs.replace(last, detail="put back into the queue by the scheduler")

    def _with_end(self, facts: Facts, now: float, can_account: bool) -> Conclusion:
        if not needs_word(facts):
            return Conclusion(None)
        if self._ended is None:
            self._ended = now
        if self._record is not None:
            return Conclusion(self._record)
        if self._gone is not None and self._last is not None and self._last.outcome is not None:
            return Conclusion(self._last)
        waited = now - self._ended
        if waited >= SETTLE:
            return Conclusion(Observation("gone"))
        # Some schedulers say that a job has ended, and only their accounting says how.
        missing = self._gone is not None or (self._absences > 0 and self._absent_last > self._ended)
        if missing and (not can_account or self._account_due == float("inf")):
            return Conclusion(Observation("gone"))
        account = missing and now >= self._account_due
        again = min(SETTLE - waited, max(0.5, self._account_due - now)) if missing else SETTLE - waited
        return Conclusion(Observation("ending"), account=account, soon=not missing, again=again)

    def _gone_without_record(
        self, last: Observation, facts: Facts, now: float, rc_grace: float, can_account: bool
    ) -> Conclusion:
        """The scheduler says it is over, and the job script's record is not here (yet)."""
        assert self._gone is not None
        ran = facts.claimed or last.started > 0 or last.outcome != "cancelled"
        waited = now - self._gone
        ending = Observation("ending", detail="its scheduler says that it ended", host=last.host, started=last.started)
        if ran and (waited < rc_grace or self._gones < 2):
            return Conclusion(ending, soon=self._gones < 2, again=max(0.05, rc_grace - waited))
        if self._record is not None:
            return Conclusion(self._record)
        unclear = last.outcome in (None, "failed") and last.reason is None and last.exit_code is None
        if unclear and can_account and self._account_due != float("inf") and waited < SETTLE + rc_grace:
            return Conclusion(ending, account=now >= self._account_due, again=5.0)
        return Conclusion(last)

    def _absent(self, now: float, can_account: bool) -> Conclusion:
        if self._record is not None:
            return Conclusion(self._record)
        if can_account and self._account_due != float("inf"):
            words = "its scheduler no longer lists it; its accounting is asked"
            last = self._alive() or Observation("ending")
            seen = msgspec.structs.replace(last, detail=words)
            return Conclusion(seen, account=now >= self._account_due, again=max(1.0, self._account_due - now))
        words = "it left its scheduler's queue without a trace: it may have run or not"
        return Conclusion(Observation("lost", detail=words))
