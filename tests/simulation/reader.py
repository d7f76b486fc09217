"""Readers read records, take receipts and consistency files, audit, and verify all of it under the key."""

import json

from counterfoil.core.receipt import verify_receipt
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.errors import CounterfoilError
from tests.simulation.process import TENANTS, Process


class Reader(Process):
    """Reads records, takes receipts and consistency files, audits, and verifies all of it under the key."""

    def act(self):
        chance, world = self.chance, self.world
        engine = self.engines[chance.choice(TENANTS)]
        customer = chance.choice(world.customers)
        kinds = [self.customer, self.customers, self.receipts, self.audit, self.checkpoints]
        if world.outside.recorded:
            kinds += [self.receipt] * 3
        if world.outside.checkpoints:
            kinds += [self.consistency] * 2
        work = chance.choice(kinds)
        call = world.begin(f"{work.__name__} {engine.tenant} {customer}")
        try:
            work(call, engine, customer)
        except CounterfoilError as error:
            self.answer(error.code)
            world.judge.refused_log(call, error, engine.log_of(customer))

    def customer(self, call, engine, customer):
        self.world.judge.customer(call, engine.customer(customer))

    def customers(self, call, engine, _customer):
        for record in engine.customers():
            if isinstance(record, CounterfoilError):
                raise record
            self.world.judge.customer(call, record)

    def receipts(self, _call, engine, customer):
        for proven in engine.receipts(customer):
            self.keep(proven, customer)

    def receipt(self, call, _engine, _customer):
        self.prove(call, self.chance.choice(self.world.outside.recorded))

    def prove(self, call, request):
        """Take the receipt of a request that was recorded."""
        engine = self.engines[request.tenant]
        log = engine.log_of(request.delta.customer_id)
        index = int(json.loads(request.data)["index"])
        try:
            proven = engine.receipt(f"0x{log.hex()}.{index}")
        except CounterfoilError as error:
            self.answer(error.code)
            self.world.judge.not_yet(call, log, index, error)
            return
        self.keep(proven, request.delta.customer_id)

    def keep(self, proven, customer):
        world = self.world
        verified = verify_receipt(proven.receipt, self.keys, customer_id=customer)
        world.judge.receipt(proven.record_id, proven.receipt)
        world.outside.receipts.append((proven.record_id, proven.receipt))
        self.answer("receipt", f"of {proven.record_id} under {verified.checkpoint.size}")

    def consistency(self, _call, _engine, _customer):
        self.extend(*self.chance.choice(self.world.outside.checkpoints))

    def extend(self, tenant, log, kept):
        """Verify that the newest checkpoint extends one that was kept."""
        engine = self.engines[tenant]
        customer = next(name for name in self.world.customers if engine.log_of(name) == log)
        file = parse_consistency_file(engine.consistency_file(customer, kept))
        verify_consistency_file(kept, file, self.keys)
        self.answer("consistent", f"{file.checkpoint.size} extends {kept.size}")

    def audit(self, call, engine, customer):
        report = engine.audit(customer, self.keys)
        self.answer("audited", f"{report.entries} entries, {report.covered} covered")
        self.world.judge.audited(call, engine.log_of(customer), report)

    def checkpoints(self, call, engine, customer):
        found = [checkpoint.size for checkpoint in engine.checkpoints(customer)]
        self.answer("listed", found)
        self.world.judge.listed(call, engine.log_of(customer), found)
