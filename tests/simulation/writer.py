"""Writers send new requests, send again what was not answered, and repeat what was."""

from typing import NamedTuple

from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError
from tests.simulation.judge import UNKNOWN
from tests.simulation.outside import Parcel, Request, item_key
from tests.simulation.process import TENANTS, Process

AMOUNTS = (
    "1",
    "-1",
    "12.5",
    "-0.000000001",
    "123456789012345678.123456789",
    "-98765432109876543.000000007",
    "3",
)
BATCH_MAX = 5
# How many of the requests are to be refused.
WRONG = 0.08


class Content(NamedTuple):
    """What a request asks for, and the code that it must be refused with."""

    amount: str
    adjusts: str | None = None
    unit: str | None = None
    refusal: str | None = None


class Writer(Process):
    """Sends new requests, sends again what was not answered, and repeats what was."""

    def act(self):
        outside, chance = self.world.outside, self.chance
        which = chance.random()
        if which < 0.25 and outside.unanswered:
            self.send(chance.choice(outside.unanswered))
        elif which < 0.4 and outside.parcels:
            self.send(chance.choice(outside.parcels))
        else:
            self.send(self.parcel(chance.choice(TENANTS)))

    def send(self, parcel):
        world, outside = self.world, self.world.outside
        call = world.begin(f"record {[request.number for request in parcel.requests]} {parcel.batch_key}")
        outside.sent(parcel)
        deltas = [request.delta for request in parcel.requests]
        engine = self.engines[parcel.tenant]
        try:
            answers = (
                [engine.record(*deltas)]
                if parcel.single
                else engine.record_many(deltas, batch_key=parcel.batch_key)
            )
        except CounterfoilError as error:
            if parcel.single and error.code not in call.excuses:
                answers = [error]
            else:
                self.answer(error.code)
                world.judge.failed(call, error, parcel.requests)
                if error.code != UNKNOWN:
                    outside.not_done(parcel)
                return
        self.receive(call, parcel, answers)

    def receive(self, call, parcel, answers):
        judge = self.world.judge
        before = []
        for request, answer in zip(parcel.requests, answers, strict=True):
            if isinstance(answer, CounterfoilError):
                self.answer(answer.code, request.number)
                judge.refused(call, request, answer)
            else:
                self.answer(
                    "replayed" if answer.replayed else "recorded", f"{request.number}: {answer.record_id}"
                )
                judge.acknowledged(call, request, answer, again=request in before)
            before.append(request)
        codes = [answer.code for answer in answers if isinstance(answer, CounterfoilError)]
        if "clock-regressed" not in codes:
            self.world.outside.answered(parcel)

    def parcel(self, tenant):
        chance = self.chance
        if chance.random() < 0.5:
            request = self.request(tenant)
            return Parcel(tenant, [request], None, single=True)
        batch_key = f"batch-{len(self.world.outside.parcels)}" if chance.random() < 0.6 else None
        requests = [
            self.request(tenant, batch_key, place) for place in range(chance.randrange(1, BATCH_MAX + 1))
        ]
        if chance.random() < 0.1 and requests[0].delta.idempotency_key is not None:
            requests.append(requests[0])
        return Parcel(tenant, requests, batch_key, single=False)

    def request(self, tenant, batch_key=None, place=0, customer=None):
        """Make a request up."""
        chance, outside = self.chance, self.world.outside
        number = len(outside.requests)
        customer = customer or chance.choice(self.world.customers)
        content = self.content(tenant, customer)
        key = self.key(number)
        delta = Delta(
            customer,
            content.amount,
            f"request {number}",
            reference_id=f"line {number}" if chance.random() < 0.2 else None,
            metadata={"tokens": number, "model": "aé"} if chance.random() < 0.2 else None,
            idempotency_key=key,
            effective_at="2026-03-31" if chance.random() < 0.1 else None,
            adjusts=content.adjusts,
            unit=content.unit,
        )
        if key is None and batch_key is not None:
            key = item_key(batch_key, place)
        request = Request(number, tenant, delta, key, content.refusal)
        outside.requests.append(request)
        return request

    def key(self, number):
        which = self.chance.random()
        if which < 0.2:
            return None
        if which < 0.3:
            # Perhaps another's, whose content is another then.
            return f"key-{self.chance.randrange(number + 1)}"
        return f"key-{number}"

    def content(self, tenant, customer):
        """Make up what is asked for: mostly what can be had, now and then what must be refused."""
        chance, promises = self.chance, self.world.promises
        amount = chance.choice(AMOUNTS)
        reference = promises.reference(tenant, customer)
        record, other = f"0x{reference.hex()}", f"0x{promises.reference(tenant, 'somebody-else').hex()}"
        wrong = [
            Content("0", refusal="amount-out-of-range"),
            Content("x", refusal="invalid-field"),
            Content(amount, adjusts=f"{record}.1000000", refusal="record-not-found"),
            Content(amount, adjusts=f"{other}.1", refusal="invalid-field"),
        ]
        right = [Content(amount)]
        if (log := promises.logs.get(reference)) is not None:
            no_delta = chance.choice([0, *(size - 1 for size in log.seals)])
            wrong += [
                Content(amount, unit="pebbles", refusal="invalid-field"),
                Content(amount, adjusts=f"{record}.{no_delta}", refusal="invalid-field"),
            ]
            right += [*right, Content(amount, adjusts=f"{record}.{chance.choice(list(log.owners))}")]
        return chance.choice(wrong if chance.random() < WRONG else right)
