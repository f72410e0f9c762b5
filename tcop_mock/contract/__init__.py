"""The contract: clauses, the requests that they send, the assertions, and the runner."""
