"""What an event means: event → which domain functions to call. Imports only ``scrm`` and the standard library."""
