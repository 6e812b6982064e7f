#!/bin/sh
# Starts a student's server on a hub. First the student's own copy of the lessons: new ones are
# added, and one that the student has worked in is never written to.
here=$(cd "$(dirname "$0")/.." && pwd)
python=${GPTLIB_PYTHON:-python}
"$python" "$here/tools/student.py" "$HOME/my_course" --keep ||
    echo "gptlib: the lessons in $HOME/my_course are as they were" >&2
exec jupyterhub-singleuser --config="$here/notebooks/jupyter_config.py" "$@"
