"""Finding joules on a page that nobody measured."""

import re
from xml.etree import ElementTree

QUARANTINED = {"published", "estimate", "elsewhere"}
# A number of joules, watts or inferences per joule.
A_JOULE = re.compile(r"\d\s*([kMGTmµun]?(J|W)|inf(erences)?/J|joules?|watts?)\b")


def outside_quarantine(html):
    """Text of a page outside the blocks for published data and estimates."""
    body = re.sub(r"&(?!amp;|lt;|gt;|quot;|#)\w+;", " ", html[html.index("<body") :])
    tree = ElementTree.fromstring(body[: body.index("</body>") + len("</body>")])

    def texts(element):
        if QUARANTINED & set((element.get("class") or "").split()):
            return
        yield element.text or ""
        for child in element:
            yield from texts(child)
            yield child.tail or ""

    return " ".join(texts(tree))
