"""What reps send: quick replies (话术) and materials (素材), by folder, with how often each is used."""
