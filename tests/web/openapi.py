"""The description of the API, as it is checked in.

python -m tests.web.openapi         writes it again
"""

import json

from counterfoil.storage.memory import MemoryStore
from counterfoil.web.app import create_app
from counterfoil.web.state import Services
from tests.docs.examples import ROOT
from tests.support import OPERATOR, FakeClock

PATH = ROOT / "docs" / "api" / "openapi.json"


def described():
    """The description of the application as it is now."""
    return create_app(Services(MemoryStore(FakeClock()), OPERATOR)).openapi()


def main():
    PATH.write_text(json.dumps(described(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
