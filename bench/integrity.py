"""What a campaign on PostgreSQL must leave behind: sound tables and indexes, and rows that tell one story.

``PRAGMA integrity_check`` has no counterpart there. The pages of tables and indexes are looked at by the extension
``amcheck``, which the server must allow to be created; the rest are questions about rows that only a lost or doubled
write could answer otherwise.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

_TABLES = (
    "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
_INDEXES = (
    "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace"
)
_FOREIGN_KEYS = (
    "SELECT conname, conrelid::regclass::text, confrelid::regclass::text,"
    " (SELECT array_agg(a.attname ORDER BY k.place) FROM unnest(conkey) WITH ORDINALITY AS k(number, place)"
    " JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.number),"
    " (SELECT array_agg(a.attname ORDER BY k.place) FROM unnest(confkey) WITH ORDINALITY AS k(number, place)"
    " JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.number)"
    " FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
)
# Each finds nothing, once all runs have ended.
_QUESTIONS: dict[str, LiteralString] = {
    "a run has ended without a time, or not ended with one": (
        "SELECT id FROM orchestrator_run"
        " WHERE (state IN ('COMPLETED', 'FAILED', 'CANCELLED')) <> (ended_date IS NOT NULL)"
    ),
    "a node of an ended run has not ended, or is still waited for": (
        "SELECT n.run_id || '.' || n.node_id FROM node_run n JOIN orchestrator_run r ON r.id = n.run_id"
        " WHERE r.ended_date IS NOT NULL AND (n.ended_date IS NULL OR n.wake_at IS NOT NULL OR n.look_at IS NOT NULL"
        " OR n.state NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'SKIPPED'))"
    ),
    "a node has ended twice, or was counted twice": (
        "SELECT run_id || '.' || node_id FROM node_run GROUP BY run_id, node_id HAVING count(*) > 1"
    ),
    "a completed run lacks a node": (
        "SELECT r.id FROM orchestrator_run r JOIN orchestrator_version v ON v.id = r.version_id"
        " WHERE r.state = 'COMPLETED' AND jsonb_array_length(v.definition::jsonb -> 'nodes')"
        " <> (SELECT count(*) FROM node_run n WHERE n.run_id = r.id)"
    ),
    "a completed run has a node that failed": (
        "SELECT n.run_id || '.' || n.node_id FROM node_run n JOIN orchestrator_run r ON r.id = n.run_id"
        " WHERE r.state = 'COMPLETED' AND n.state NOT IN ('COMPLETED', 'SKIPPED')"
    ),
    "a call of an ended run has no end": (
        "SELECT a.run_id || '.' || a.node_id || '#' || a.number FROM attempt a"
        " JOIN orchestrator_run r ON r.id = a.run_id WHERE r.ended_date IS NOT NULL AND a.ended_date IS NULL"
    ),
    "a call belongs to no node, or the calls of a node are not counted through": (
        "SELECT run_id || '.' || node_id FROM attempt a LEFT JOIN node_run n USING (run_id, node_id)"
        " GROUP BY run_id, node_id, n.attempt HAVING max(number) <> count(*) OR max(number) IS DISTINCT FROM n.attempt"
    ),
    "a callback is waited for in an ended run": (
        "SELECT w.id FROM callback_wait w JOIN orchestrator_run r ON r.id = w.run_id WHERE r.ended_date IS NOT NULL"
        " AND w.received_date IS NULL AND w.closed_date IS NULL"
    ),
    "a callback is waited for by no node": (
        "SELECT w.id FROM callback_wait w LEFT JOIN node_run n USING (run_id, node_id) WHERE n.run_id IS NULL"
    ),
    "two runs were started with one key": (
        "SELECT idempotency_key FROM orchestrator_run WHERE idempotency_key IS NOT NULL"
        " GROUP BY orchestrator_id, idempotency_key HAVING count(*) > 1"
    ),
}


def damages(url: str) -> list[str]:
    """What is wrong with the database, a sentence each; to be asked when all runs have ended."""
    found: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        found += _damaged_pages(connection)
        for name, table, parent, columns, keys in connection.execute(_FOREIGN_KEYS).fetchall():
            found += _orphans(connection, name, table, parent, list(zip(columns, keys, strict=True)))
        for sentence, question in _QUESTIONS.items():
            rows = connection.execute(question).fetchall()
            if rows:
                found.append(f"{sentence}: {len(rows)} {[row[0] for row in rows[:3]]}")
    return found


def _damaged_pages(connection: psycopg.Connection) -> list[str]:
    connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    found: list[str] = []
    for (table,) in connection.execute(_TABLES).fetchall():
        found += [
            f"{table}: {message}"
            for (message,) in connection.execute(
                "SELECT msg FROM verify_heapam(%s::regclass, check_toast => true)", (table,)
            )
        ]
    for (index,) in connection.execute(_INDEXES).fetchall():
        try:
            connection.execute("SELECT bt_index_check(%s::regclass, heapallindexed => true)", (index,))
        except psycopg.Error as error:
            found.append(f"{index}: {error}")
    return found


def _orphans(
    connection: psycopg.Connection, name: str, table: str, parent: str, pairs: list[tuple[str, str]]
) -> list[str]:
    """Rows whose parent is not there, although the database should not allow it."""
    meets = sql.SQL(" AND ").join(
        sql.SQL("p.{} = c.{}").format(sql.Identifier(key), sql.Identifier(column)) for column, key in pairs
    )
    known = sql.SQL(" AND ").join(
        sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(column)) for column, _ in pairs
    )
    question = sql.SQL(
        "SELECT count(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})"
    ).format(sql.Identifier(table), known, sql.Identifier(parent), meets)
    row = connection.execute(question).fetchone()
    return [f"{name}: {row[0]} rows of {table} without one of {parent}"] if row and row[0] else []
