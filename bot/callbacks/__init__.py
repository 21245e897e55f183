"""What the platforms push to us: verify, decrypt, keep, answer."""
