"""``python -m device.command`` is ``legpress``; for starting services with this very interpreter."""

import sys

from device.command.main import main

if __name__ == "__main__":
    sys.exit(main())
