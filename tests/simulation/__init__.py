"""The engine in a world that a seed decides: who goes next, what the clock says, what fails, who dies.

One process, one source of chance, no waiting: a seed gives the same run, byte for byte, every time.

- `scheduler`: processes, one of which runs at a time; any may be paused, or die, between two transactions.
- `clock`: a clock that jumps, falls back, stands still and is put right.
- `faulty`: a store and a signer that fail and say so, or say something else.
- `process`, `writer`, `worker`, `reader`: what the processes do; `finisher` looks after all of them whether all is whole.
- `outside`: what senders and auditors remember, who are part of no process that dies.
- `promises`: what must hold after every commit, recomputed from the bytes with nothing of the engine.
- `judge`: every answer, held against that.
- `world`: all of it together, with a trace.
- `plant`, `planted_records`, `planted_checkpoints`: bugs, each of which must be found.
"""
