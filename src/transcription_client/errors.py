"""The errors that the client shows to its user."""


class ClientError(Exception):
    """One sentence that says what is wrong and what to do next."""


class Unreachable(ClientError):
    """A server did not answer. The next try may succeed."""
