"""What is raised where a metanet has a mistake, or is asked for what it cannot do."""


class MistakeError(ValueError):
    """A metanet that cannot be built, raises in its forward pass, or returns what is no prediction."""


class UnableError(MistakeError):
    """No mistake, but a task that a metanet is not made for: pairs of nets, or nets unlike those that it was fitted on."""
