"""What Hearth costs: `make bench`."""
