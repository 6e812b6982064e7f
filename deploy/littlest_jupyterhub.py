"""The Littlest JupyterHub with the course on it: a file for its folder `jupyterhub_config.d`.

sudo git clone ADDRESS /opt/gptlib
sudo -E /opt/gptlib/deploy/install.sh /opt/tljh/user/bin/python
sudo cp /opt/gptlib/deploy/littlest_jupyterhub.py /opt/tljh/config/jupyterhub_config.d/
sudo tljh-config set limits.memory 1500M
sudo tljh-config set limits.cpu 2
sudo tljh-config set services.cull.timeout 3600
sudo tljh-config reload
"""

c = get_config()  # noqa: F821  (JupyterHub defines it when it reads this file)

# Each student's own copy of the lessons, and then the server.
c.Spawner.cmd = ["/opt/gptlib/deploy/start-student.sh"]
c.Spawner.default_url = "/lab/tree/my_course/00_the_whole_machine.ipynb"
c.Spawner.environment = {
    "GPTLIB_PYTHON": "/opt/tljh/user/bin/python",
    # Threads that wait must not keep a core from other students.
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GPTLIB_ANSWERS": "answers.jsonl",
}
