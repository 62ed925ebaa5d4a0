"""Builds the application from its settings; the one module that knows every layer."""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path

from orchestrator_app.config import LOOPBACK_HOSTS, Settings
from orchestrator_app.distribution.exchange import Exchange
from orchestrator_app.distribution.shared_dispatcher import SharedDispatcher, Worker
from orchestrator_app.distribution.shared_hub import SharedHub
from orchestrator_app.errors import ConfigurationError
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.guarded_transport import trusted_authorities
from orchestrator_app.providers.registry import build_providers
from orchestrator_app.runner.clock import SystemClock
from orchestrator_app.runner.dispatcher import LocalDispatcher
from orchestrator_app.runner.engine import Engine, EngineParts
from orchestrator_app.runner.evaluator import Evaluator
from orchestrator_app.runner.hub import Change, Hub
from orchestrator_app.runner.poller import Poller
from orchestrator_app.runner.queue import RunQueue
from orchestrator_app.runner.rendering import Renderer
from orchestrator_app.runner.stopping import OutsideStops
from orchestrator_app.security import tokens
from orchestrator_app.security.network import NetworkGuard
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.application import Application
from orchestrator_app.services.bulk import Bulk
from orchestrator_app.services.callbacks import Callbacks
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.connection_watch import ConnectionWatch
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.drafts import Drafts
from orchestrator_app.services.example import create_example
from orchestrator_app.services.gateway import Gateway
from orchestrator_app.services.health import Health
from orchestrator_app.services.interventions import Interventions
from orchestrator_app.services.orchestrator_settings import OrchestratorSettings, secret_row
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.services.runs import Runs
from orchestrator_app.services.waiting import Waiting
from orchestrator_app.storage import migrations, run_queue
from orchestrator_app.storage import settings as setting_rows
from orchestrator_app.storage.checkpoints import SqlCheckpointStore
from orchestrator_app.storage.database import Database, database_url
from orchestrator_app.storage.looks import SqlLookStore
from orchestrator_app.storage.queue import SqlRunQueueStore
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

log = logging.getLogger(__name__)

CALLBACK_PATH = "/api/v1/orchestrator/callback"
KEY_CHECK = "encryption_key_check"
STOP_GRACE_SECONDS = 20.0
CLOSE_SECONDS = 2.0
_WRONG_KEY = (
    "The encryption key is not the one with which this database's secrets were stored. Put the right key into "
    "ORCHESTRATOR_ENCRYPTION_KEY or the key file; nothing was changed."
)
_WORKERS = (
    "Workers work on the runs of this database, so this process must not. Set ORCHESTRATOR_WORKERS to external, or stop "
    "them and wait some seconds."
)


@asynccontextmanager
async def open_application(settings: Settings, *, is_worker: bool = False) -> AsyncGenerator[Application]:
    """Everything running, from the database to the engine; stopped cleanly at the end.

    A worker takes runs from the queue that it shares with other processes, and serves nobody.

    Raises:
        ConfigurationError: The settings, the key or the data folder do not allow a start.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_shared = is_worker or settings.workers == "external"
    with nullcontext() if is_shared else _only_engine(settings.data_dir):
        url = database_url(settings.database_url, settings.data_dir)
        is_new = await asyncio.to_thread(migrations.upgrade, url)
        if is_shared:
            await asyncio.to_thread(run_queue.create, url)
        vault = Vault.open(settings.encryption_key.get_secret_value() or None, settings.key_file)
        database = Database(url)
        try:
            await _check_key(database, vault)
            if not is_shared:
                await _check_no_workers(database)
            exchange = Exchange(database) if is_shared else None
            async with (
                _listening(exchange),
                _running(settings, database, vault, exchange, is_worker=is_worker) as application,
            ):
                if is_new and settings.demo:
                    await create_example(application.orchestrators, DEFAULT_WORKSPACE)
                yield application
        finally:
            await asyncio.to_thread(database.close)


@asynccontextmanager
async def _listening(exchange: Exchange | None) -> AsyncGenerator[None]:
    """In touch with the other processes, if there are any."""
    if exchange is None:
        yield
        return
    await exchange.start()
    try:
        yield
    finally:
        await _in_time(exchange.stop())


@asynccontextmanager
async def _running(
    settings: Settings, database: Database, vault: Vault, exchange: Exchange | None, *, is_worker: bool
) -> AsyncGenerator[Application]:
    clock, hub = SystemClock(), Hub() if exchange is None else SharedHub(exchange)
    is_local = settings.host in LOOPBACK_HOSTS
    # Made once: reading the authorities takes longer than anything else at the start.
    trusted = trusted_authorities()
    guard = NetworkGuard(settings.network_allow, allow_local=is_local, own_port=settings.port)
    client = HttpClient(guard, ssl_context=trusted)
    # The simulated provider calls back to this very program, as a platform outside would; nothing else may.
    own_client = HttpClient(NetworkGuard((), allow_local=True, own_port=None), ssl_context=trusted)
    providers = build_providers(client, callback_client=own_client)
    evaluator = Evaluator()

    def seal(token: str, wait_id: str) -> str:
        return vault.seal(token, row=f"callback_wait|token|{wait_id}")

    def unseal(sealed: str, wait_id: str) -> str:
        return vault.open_sealed(sealed, row=f"callback_wait|token|{wait_id}")

    def unseal_secret(sealed: str, orchestrator_id: str) -> str:
        return vault.open_sealed(sealed, row=secret_row(orchestrator_id))

    def callback_url(run_id: str, token: str) -> str:
        return f"{settings.base_url}{CALLBACK_PATH}/{run_id}?token={token}"

    def changed(
        workspace_id: str, orchestrator_id: str, run_id: str, seq: int, *, is_end: bool = False
    ) -> None:
        hub.publish(Change("run", workspace_id, run_id, seq, orchestrator_id, is_end))

    store = SqlCheckpointStore(
        database,
        seal=seal,
        unseal=unseal,
        token_hash=tokens.token_hash,
        changed=changed,
        now=clock.now,
        is_shared=exchange is not None,
        deadline_ms=settings.run_deadline_ms,
    )
    dispatcher = _dispatcher(store, clock, database, exchange, settings.run_concurrency, is_worker=is_worker)
    connections = Connections(database, vault, providers, hub, now=clock.now, new_id=tokens.new_id)
    gateway, renderer = Gateway(providers, connections, vault), Renderer(evaluator)
    looks = SqlLookStore(database, unseal=unseal, changed=changed)
    stops = OutsideStops(gateway, store, clock)
    engine = Engine(
        EngineParts(
            store=store,
            dispatcher=dispatcher,
            gateway=gateway,
            poller=Poller(looks, gateway, dispatcher, renderer, clock),
            stops=stops,
            renderer=renderer,
            clock=clock,
            callback_url=callback_url,
            new_token=tokens.new_callback_token,
            new_id=tokens.new_id,
            node_concurrency=settings.node_concurrency,
        )
    )
    runs = Runs(
        database,
        dispatcher,
        hub,
        callback_url=callback_url,
        unseal=unseal,
        stops=stops,
        now=clock.now,
        new_id=tokens.new_id,
        deadline_ms=settings.run_deadline_ms,
    )
    interventions = Interventions(database, dispatcher, hub, now=clock.now, new_id=tokens.new_id)
    application = Application(
        settings=settings,
        orchestrators=Orchestrators(database, hub, now=clock.now, new_id=tokens.new_id),
        orchestrator_settings=OrchestratorSettings(database, vault, hub, now=clock.now),
        drafts=Drafts(database, now=clock.now),
        runs=runs,
        interventions=interventions,
        bulk=Bulk(database, runs, interventions),
        waiting=Waiting(database),
        callbacks=Callbacks(
            database,
            dispatcher,
            hub,
            token_hash=tokens.token_hash,
            unseal_secret=unseal_secret,
            now=clock.now,
        ),
        connections=connections,
        catalog=Catalog(database, providers, connections, hub, now=clock.now, sleep=clock.sleep),
        health=Health(database, dispatcher),
        hub=hub,
        engine=engine,
    )
    queue = RunQueue(SqlRunQueueStore(database), dispatcher, hub)
    watch = ConnectionWatch(database, providers, connections, clock)
    await evaluator.start()
    if settings.enabled:
        if exchange is None or is_worker:
            await engine.start()
            queue.start()
        if not is_worker:
            watch.start()
    try:
        yield application
    finally:
        await _in_time(watch.stop())
        await _in_time(queue.stop())
        await engine.stop(STOP_GRACE_SECONDS)
        closing = [
            application.drafts.close(),
            application.catalog.close(),
            evaluator.stop(),
            *(provider.close() for provider in providers.values()),
        ]
        for close in (*closing, client.close(), own_client.close()):
            await _in_time(close)


def _dispatcher(
    store: SqlCheckpointStore,
    clock: SystemClock,
    database: Database,
    exchange: Exchange | None,
    concurrency: int,
    *,
    is_worker: bool,
) -> LocalDispatcher:
    """That of this process alone, or one that shares the runs with other processes."""
    if exchange is None:
        return LocalDispatcher(store, clock, concurrency=concurrency)
    worker = _job_worker(database.url, concurrency, clock) if is_worker else None
    return SharedDispatcher(store, clock, database, exchange, concurrency=concurrency, worker=worker)


def _job_worker(url: str, concurrency: int, clock: SystemClock) -> Worker:
    from orchestrator_app.distribution.job_worker import JobWorker  # noqa: PLC0415 - needs the extra “postgres”

    return JobWorker(url, concurrency=concurrency, now=clock.now)


async def _in_time(close: Awaitable[None]) -> None:
    """Let something end its work; what does not end in time ends with the process."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await close
    except TimeoutError:
        log.warning("a part of the program did not stop in time: %r", close)


async def _check_key(database: Database, vault: Vault) -> None:
    """Refuse a key that is not the one with which this database's secrets were sealed."""
    expected = vault.key_check()
    stored = await database.read(lambda connection: setting_rows.get(connection, KEY_CHECK))
    if stored is None:
        await database.write(lambda connection: setting_rows.put(connection, KEY_CHECK, expected))
    elif not tokens.same(stored, expected):
        raise ConfigurationError([_WRONG_KEY])


async def _check_no_workers(database: Database) -> None:
    """Refuse to work on runs that other processes share."""
    if await database.read(run_queue.live_workers):
        raise ConfigurationError([_WORKERS])


@contextmanager
def _only_engine(data_dir: Path) -> Generator[None]:
    """Hold the data folder, so that no second process advances the same runs."""
    path = data_dir / "engine.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            taken = (
                f"Another Orchestrator uses the data folder {data_dir.absolute()}. Stop it, or set "
                "ORCHESTRATOR_DATA_DIR to another folder."
            )
            raise ConfigurationError([taken]) from error
        yield
    finally:
        os.close(descriptor)
