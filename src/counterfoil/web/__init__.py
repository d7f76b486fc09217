"""The HTTP API, on FastAPI: what a request says, what the engine answers, and nothing that is decided here."""
