"""The device's memory: an SQLite database that only the device process writes."""
