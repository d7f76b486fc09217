"""What stands outside of every process: the requests that were made up, and what became of each sending."""

import hashlib
from dataclasses import dataclass, field

from counterfoil.engine.request import Delta


@dataclass(eq=False)
class Request:
    """A delta that somebody wants recorded.  Its reason says its number, so that its entries can be told from others'.

    Attributes:
        number: unlike that of any other.
        tenant: whose.
        delta: as it is sent.
        key: the idempotency key, None where the engine is to make one.
        refusal: the code that it must be refused with, whenever it is sent.
        data: the entry that somebody was told it is.
    """

    number: int
    tenant: str
    delta: Delta
    key: str | None
    refusal: str | None
    data: bytes | None = None


@dataclass(eq=False)
class Parcel:
    """Requests of one tenant that are sent together, now and again; `single` ones are sent by `record`."""

    tenant: str
    requests: list[Request]
    batch_key: str | None
    single: bool

    @property
    def repeatable(self):
        """Whether it may be sent again without recording anything twice."""
        return all(request.key is not None for request in self.requests)


@dataclass(eq=False)
class Call:
    """One call of the engine by one process.

    Attributes:
        number: unlike that of any other.
        excuses: codes of the faults that it met; it may be refused with these.
        recorded: the numbers of the requests whose deltas it committed.
        shown: what the clock showed it; from `since` on in its present transaction.
        covered: of each log the size of the newest checkpoint when it began.
        sizes: of each log the number of entries when it began.
        watermarks: of each log the latest watermark that anybody had been told when it began.
    """

    number: int
    covered: dict
    sizes: dict
    watermarks: dict
    excuses: set = field(default_factory=set)
    recorded: list = field(default_factory=list)
    shown: list = field(default_factory=list)
    since: int = 0


def item_key(batch_key, position):
    """The key of an item without one of its own (docs/recording.md)."""
    return hashlib.sha256(f"{batch_key}\n{position}".encode("ascii")).hexdigest()


class Outside:
    """The memory of the senders and of the auditors: no crash touches it."""

    def __init__(self):
        self.requests = []
        # Everything that was sent and may be sent again, each once.
        self.parcels = []
        # What is to be sent again: nobody knows what became of it, or it was surely not done.
        self.unanswered = []
        # The requests that were acknowledged, the checkpoints and receipts that were handed out.
        self.recorded = []
        self.checkpoints = []
        self.receipts = []

    def sent(self, parcel):
        """A parcel is on its way; from now on its outcome may never be known."""
        if parcel.repeatable:
            if parcel not in self.parcels:
                self.parcels.append(parcel)
            if parcel not in self.unanswered:
                self.unanswered.append(parcel)
        elif parcel in self.unanswered:
            self.unanswered.remove(parcel)

    def not_done(self, parcel):
        """A parcel was refused as a whole: even without keys it may be sent again."""
        if parcel not in self.unanswered:
            self.unanswered.append(parcel)

    def answered(self, parcel):
        if parcel in self.unanswered:
            self.unanswered.remove(parcel)

    def acknowledged(self, request, data):
        if request.data is None:
            self.recorded.append(request)
            request.data = data
