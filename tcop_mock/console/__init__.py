"""The page of ``tcop-mock console``: its server, and the conversation of callbacks that it shows."""
