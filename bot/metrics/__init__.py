"""What ``/metrics`` measures when it is read. Counters of what happens stand beside the code that does it."""
