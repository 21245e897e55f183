"""The commands of ``lianke``, one file each; ``bot.cli`` names them and imports one when it is asked for."""
