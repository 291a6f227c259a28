"""Starts MiniStack 1.5.33 with the patches of `patches/`, each of which closes one gap to AWS.

Configured by environment variables, see `emulator.ts`. `--without NAME` leaves a patch out, so that its
contract test can be seen to fail; `--list` prints every patch with the gap that it closes.
"""

import argparse
import importlib
import importlib.metadata
import logging
import pkgutil
import sys

import patches
import patching

# The patches rely on the text of this version. To upgrade: change the number, start, drop or mend what fails.
MINISTACK_VERSION = "1.5.33"


def main() -> None:
    installed = importlib.metadata.version("ministack")
    if installed != MINISTACK_VERSION:
        sys.exit(f"The patches are written for ministack {MINISTACK_VERSION}, but {installed} is installed")

    names = sorted(module.name for module in pkgutil.iter_modules(patches.__path__))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without", action="append", default=[], choices=names, metavar="NAME")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()

    modules = {name: importlib.import_module(f"patches.{name}") for name in names}
    if options.list:
        for name, module in modules.items():
            print(f"{name}: {' '.join((module.__doc__ or '').split())}")
        return

    from ministack import app

    for name, module in modules.items():
        if name not in options.without:
            module.apply()
    patching.finish()
    logging.getLogger("patches").info(
        "%d patches applied%s",
        len(modules) - len(options.without),
        f", without {', '.join(options.without)}" if options.without else "",
    )
    sys.argv = sys.argv[:1]
    app.main()


if __name__ == "__main__":
    main()
