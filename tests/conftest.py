"""What holds for every test: nothing that the person who runs the tests has set reaches the program."""

import os

from hypothesis import settings as hypothesis_settings

from orchestrator_app.config import Settings

for _name in [name for name in os.environ if name.startswith(("ORCHESTRATOR_", "REFLEX_", "__REFLEX_"))]:
    if not _name.startswith("ORCHESTRATOR_TEST_"):
        del os.environ[_name]
Settings.model_config["env_file"] = None

# A busy machine is no failure: how long an example takes is not what is tested.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")

pytest_plugins = ["tests.databases", "tests.fakes.fixtures"]
