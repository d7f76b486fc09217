"""The yardstick of the HTTP measures: a FastAPI route that does nothing, on the same server."""

from fastapi import FastAPI

app = FastAPI()


@app.post("/noop")
async def noop() -> dict[str, bool]:
    return {"success": True}


@app.get("/noop")
async def noop_get() -> dict[str, bool]:
    return {"success": True}
