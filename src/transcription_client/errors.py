"""What the person in front of the screen is told when something cannot be done."""


class ClientError(Exception):
    """One sentence that says what is wrong and what to do next."""
