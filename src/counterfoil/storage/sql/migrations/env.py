"""Run by Alembic: revisions run on the caller's connection, inside its transaction."""

from __future__ import annotations

from alembic import context

# The caller's transaction takes all revisions or none; Alembic itself begins and ends nothing.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
