"""What `make lab` and the browser tests tell the Jupyter server, beside their options.

The server answers a moved slider with several small messages. By default the operating system
holds each back until the one before is acknowledged (Nagle's algorithm), up to 40 ms a message.

A notebook that was run yesterday holds views of widgets whose kernel is gone. JupyterLab shows each
as "Error displaying widget: model not found", although the picture is saved beside it.
"""

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """The usual connection of a notebook to its kernel, which sends each message at once."""

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


class PicturesWithoutKernel(AsyncLargeFileManager):
    """The usual files. A notebook without a kernel is opened with pictures in place of dead views.

    A page that is loaded again while its kernel runs keeps its live explorers.
    """

    async def get(self, path, content=True, type=None, **how):
        model = await super().get(path, content=content, type=type, **how)
        if model["type"] == "notebook" and content and not await self.has_kernel(path):
            leave_out_dead_views(model["content"])
        return model

    async def has_kernel(self, path):
        return await self.parent.session_manager.session_exists(path=path.strip("/"))


VIEW, STATE = (f"application/vnd.jupyter.widget-{part}+json" for part in ("view", "state"))


def leave_out_dead_views(notebook):
    """Take out each widget's view that has a picture or words beside it, and no state to show.

    What is saved afterwards lacks nothing: only the kernel that is gone could fill these views.
    """
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    for data in (output.get("data", {}) for output in outputs):
        if len(data) > 1 and data.get(VIEW, {}).get("model_id") not in state:
            data.pop(VIEW, None)


c = get_config()  # noqa: F821  (Jupyter defines it when it reads this file)
c.ServerApp.contents_manager_class = PicturesWithoutKernel
c.ServerApp.kernel_websocket_connection_class = PromptConnection
