"""The command line, for all tests of it."""

from tests.bot.cli_fixture import cli, cli_database, quiet_logs

__all__ = ["cli", "cli_database", "quiet_logs"]
