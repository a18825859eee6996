"""`python -m dspex` is the command `dspex`."""

import sys


def run() -> None:
    """Run the command; Ctrl-C ends it in one line, also while it is being loaded."""
    try:
        from dspex.cli.main import main
    except KeyboardInterrupt:
        sys.stderr.write("dspex: interrupted\n")
        sys.exit(130)
    main(prog_name="dspex")


if __name__ == "__main__":
    run()
