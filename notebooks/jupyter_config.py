"""What `make lab` and the browser tests tell the Jupyter server, beside their options.

The server answers a moved slider with several small messages. By default the operating system
holds each back until the one before is acknowledged (Nagle's algorithm), up to 40 ms a message.
"""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """The usual connection of a notebook to its kernel, which sends each message at once."""

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


c = get_config()  # noqa: F821  (Jupyter defines it when it reads this file)
c.ServerApp.kernel_websocket_connection_class = PromptConnection
