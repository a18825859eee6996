# What the commands of this folder share; sourced from the project's folder.
# shellcheck shell=bash

# Errors only: an index may warn of each package it does not have.
export PIP_QUIET=2 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PYTHONDONTWRITEBYTECODE=1

# A shell that was started in the background ignores Ctrl-C for all it starts, and one
# without a terminal a hang-up; the tests send both.
heeding_signals='
import os, signal, sys
for each in signal.SIGINT, signal.SIGHUP:
    signal.signal(each, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
'

in_venv() { # in_venv FOLDER COMMAND...: as if it were activated
  local folder=$1
  shift
  VIRTUAL_ENV=$folder PATH=$folder/bin:$PATH "$folder/bin/python" -c "$heeding_signals" "$@"
}

test_tools() { # test_tools PYTHON: the packages of the extra `dev`, without the model
  "$1" - <<'PYTHON'
import pathlib, tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
tools = project["optional-dependencies"]["dev"]
print("\n".join(tool for tool in tools if not tool.startswith("dspex[")))
PYTHON
}
