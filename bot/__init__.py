"""Everything that touches the outside: callbacks, REST, workers, the platform client, the sandbox."""
