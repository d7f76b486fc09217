"""What the guide for operators hands out to be used is right: rights, statements, settings, command lines."""

import re

import psycopg
import pytest

from counterfoil.engine.apikeys import find_key
from counterfoil.engine.engine import Engine
from counterfoil.engine.webhook_deliveries import Attempt, settle, spread, take_due
from counterfoil.engine.webhooks import add_webhook
from counterfoil.engine.worker import work_through
from counterfoil.errors import CounterfoilError
from counterfoil.limits import INTEGER_MAX
from counterfoil.storage import open_store
from counterfoil.storage.sql import postgres as module
from counterfoil.storage.sql.schema import METADATA
from tests.docs.examples import ROOT, steps
from tests.docs.test_cli_reference import COMMANDS, OPTION, options_of
from tests.support import OPERATOR, delta, seeded

GUIDES = sorted((ROOT / "docs" / "operations").glob("*.md"))
TEXTS = {page.stem: page.read_text(encoding="utf-8") for page in GUIDES}
GRANT = re.compile(r"^> (GRANT ([A-Z, ]+) ON (?!DATABASE)([a-z_, ]+) TO counterfoil;)$", re.MULTILINE)
# (right, table), as the page gives them.
RIGHTS = [
    (right, table)
    for _, rights, tables in GRANT.findall(TEXTS["postgresql"])
    for table in tables.split(", ")
    for right in rights.split(", ")
]


@pytest.fixture(scope="module")
def shop(postgres, postgres_template):
    """A store of one role, and the URL of another that has the rights of the page; and of the administrator."""
    with postgres.database(template=postgres_template) as owner:
        name = f"clerk_of_{owner.partition('@/')[2].partition('?')[0]}"
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN")
            for statement, _, _ in GRANT.findall(TEXTS["postgresql"]):
                connection.execute(statement.replace("TO counterfoil;", f"TO {name}"))
            store = open_store(owner, clock=lambda: 0)
            Engine(store, OPERATOR)
            add_webhook(store, "default", "https://example.com", randomness=seeded())
            store.close()
            yield connection, name, owner.replace("postgres@", f"{name}@")


def work(url):
    """Everything that records and checkpoints do to a table, and what a reader reads."""
    store = open_store(url, clock=lambda: 0)
    try:
        engine = Engine(store, OPERATOR, randomness=seeded(len(url)))
        # More than are settled in one bundle; of logs that are new, that are there, and of one that is refused.
        for customer in ("alice", "bob"):
            answers = engine.record_many([delta(customer=customer) for _ in range(300)])
            assert not [answer for answer in answers if isinstance(answer, CounterfoilError)]
        refused = engine.record_many(
            [delta(customer="carol", adjusts=f"0x{engine.log_of('carol').hex()}.9")]
        )[0]
        assert refused.code == "record-not-found"
        outcomes = [outcome for _, _, outcome in work_through(store, OPERATOR)]
        for outcome in outcomes:
            if isinstance(outcome, CounterfoilError):
                raise outcome
        assert outcomes
        assert engine.record(delta(idempotency_key="again")).entry.index > 0
        engine.checkpoint("alice", refresh=True)
        assert engine.receipt(answers[0].record_id)
        assert engine.customer_page([], limit=9)[1] == 2
        assert find_key(store, "none") is None
        deliver(store)
    finally:
        store.close()


def deliver(store):
    """What a server does with what was announced, but for sending it."""
    while spread(store):
        pass
    taken = take_due(store, lambda webhooks: [(each, 9) for each in webhooks], limit=9)
    assert len(taken) == 9
    settle(store, [(each.delivery, Attempt(True, True, "")) for each in taken], randomness=seeded())
    with store.write() as transaction:
        # For a webhook that somebody removed meanwhile.
        transaction.remove_webhook("gone")
        assert transaction.prune_deliveries(INTEGER_MAX, limit=99) == 9


def test_the_rights_of_the_page_are_enough(shop):
    work(shop[2])


def test_there_is_a_right_for_every_table():
    assert {table for _, table in RIGHTS} == METADATA.tables.keys() | {"alembic_version"}
    assert len(set(RIGHTS)) == len(RIGHTS)


@pytest.mark.parametrize(("right", "table"), RIGHTS)
def test_each_of_the_rights_is_needed(shop, right, table):
    connection, name, url = shop
    # Of a store that has no logs yet, and somebody to announce to.
    connection.execute(f"TRUNCATE {', '.join(METADATA.tables.keys() - {'identity', 'webhooks'})}")
    connection.execute(f"REVOKE {right} ON {table} FROM {name}")
    try:
        with pytest.raises(CounterfoilError, match="permission denied") as caught:
            work(url)
        assert caught.value.code == "usage"
    finally:
        connection.execute(f"GRANT {right} ON {table} TO {name}")


def test_the_settings_of_the_table_are_those_that_are_checked():
    [section] = re.findall(
        r"^## What is checked at start$(.*?)^## ", TEXTS["postgresql"], re.MULTILINE | re.DOTALL
    )
    named = re.findall(r"^\| `([a-z_]+)` is (on|off) \|", section, re.MULTILINE)
    assert named == list(module._UNSAFE)  # noqa: SLF001  -- the page is held to it
    assert f"Version {module._OLDEST_VERSION // 10_000} or later" in TEXTS["postgresql"]  # noqa: SLF001
    assert f"**{module._CONNECTIONS_MAX} at most**" in TEXTS["postgresql"]  # noqa: SLF001


def test_the_statements_for_citus_name_every_table_once_and_keep_logs_together():
    text = TEXTS["scaling"]
    distributed = re.findall(
        r"create_distributed_table\('([a-z_]+)', 'log'(, colocate_with => 'logs')?\)", text
    )
    reference = re.findall(r"create_reference_table\('([a-z_]+)'\)", text)
    assert sorted([name for name, _ in distributed] + reference) == sorted(METADATA.tables)
    for name, colocated in distributed:
        assert next(iter(METADATA.tables[name].primary_key)).name == "log"
        assert bool(colocated) is (name != "logs")
    assert text.index("create_distributed_table('logs'") == text.index("create_distributed_table")


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_every_command_line_that_a_page_names_is_one(page):
    text = TEXTS[page.stem]
    spoken = re.findall(r"`(counterfoil [^`]*)`", text)
    shown = [step.command for step in steps(text) if step.command.startswith("counterfoil ")]
    service = re.findall(r"^ExecStart=/\S*/(counterfoil .*)$", text, re.MULTILINE)
    for line in [*spoken, *shown, *service]:
        path = next((path for path in sorted(COMMANDS, key=len, reverse=True) if line.startswith(path)), None)
        assert path, line
        assert set(OPTION.findall(line.removeprefix(path).partition("'")[0])) <= options_of(
            COMMANDS[path][0]
        ), line


def test_no_page_is_unfinished():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert [page.name for page in pages if "TODO" in page.read_text(encoding="utf-8")] == []
