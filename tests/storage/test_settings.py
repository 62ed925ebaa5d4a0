from orchestrator_app.storage import settings
from orchestrator_app.storage.database import Database


async def test_a_setting_has_the_value_it_was_given_last(database: Database):
    assert await database.read(lambda connection: settings.get(connection, "a")) is None
    for value in ("1", "2"):
        await database.write(lambda connection, value=value: settings.put(connection, "a", value))
        assert await database.read(lambda connection: settings.get(connection, "a")) == value
    assert await database.read(lambda connection: settings.get(connection, "b")) is None
