"""Owner of the machine: pins, rules, records; and the vocabulary the other processes share."""
