"""Which operations a search favours as it goes on."""
