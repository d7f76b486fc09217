"""Evidence packs: whole logs as lines of JSON, written, streamed, audited and held against each other."""
