"""Python imports this at its start, in the commands that tests start to measure their branch coverage."""

import atexit

import branch_coverage

if branch_coverage.FOLDER:
    branch_coverage.start()
    atexit.register(branch_coverage.finish)
