"""The console command ``legpress``: ``main`` is its entry, each further module one command."""
