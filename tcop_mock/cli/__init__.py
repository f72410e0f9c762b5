"""The command line: a thin shell that parses a call, runs it, and turns errors into one line and an exit code.

``*_commands.py`` define the commands. They import the work when a command runs, so that help stays fast.

Exit codes: 0 kept · 1 broken contract or delivery not accepted · 2 usage or configuration · 3 target unusable, nothing
(or not everything that counts) could be checked · 4 internal error · 130 interrupted
(143 by SIGTERM, 129 by SIGHUP).
"""
