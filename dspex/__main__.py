"""`python -m dspex` is the command `dspex`."""

from dspex.cli.main import main

if __name__ == "__main__":
    main(prog_name="dspex")
