"""Text of others, such as names of files, for a terminal or a page: what would steer it is shown instead."""


def visible(text: str) -> str:
    """Text on one line that can be written as UTF-8: control and undecodable characters become visible escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
