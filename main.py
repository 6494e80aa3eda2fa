"""Start OrgSeg from its source: ``python3 main.py`` opens the window, ``--help`` says the rest."""

import sys

if __name__ == "__main__":
    if getattr(sys, "frozen", False):
        from multiprocessing import freeze_support

        freeze_support()
    from orgseg_app.bootstrap import ensure

    ensure()
    from orgseg_app.__main__ import main

    sys.exit(main())
