"""Which part of an answer counts: what an evaluation compares, and what usefulness is measured on."""


def whole(text: str) -> str:
    """The whole answer counts."""
    return text.strip()


def first_line(text: str) -> str:
    """Only the first line counts; a chatty model is not punished for going on."""
    return text.strip().split("\n")[0].strip()


def before_parenthesis(text: str) -> str:
    """Only what stands before a remark in brackets on the first line counts."""
    return first_line(text).split(" (")[0].strip()


COMPARISONS = {"whole": whole, "first-line": first_line, "before-parenthesis": before_parenthesis}
