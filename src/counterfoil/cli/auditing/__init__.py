"""`audit`: logs recomputed, from a store or from evidence packs, in one process or several."""
