"""What the readers share: decoding, markup, and telling running English from tables, code and lists."""
import gzip
import html.parser
import re

FUNCTION_WORDS = frozenset("""a about all an and any are as at be been but by can do does for from had has have he her his
    how i if in into is it its may more must no not of on one only or other she should so some such than that the their
    them then there these they this to use used was we were what when where which who will with would you your""".split())


def decoded(data):
    """Text of bytes that are UTF-8 or, in older files, Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def text_of(path):
    """Text of a file, plain or gzipped (.gz, .dz)."""
    opener = gzip.open if path.suffix in (".gz", ".dz") else open
    with opener(path, "rb") as file:
        return decoded(file.read())


def paragraphs(text):
    return re.split(r"\n[ \t]*\n", text)


def is_prose(paragraph):
    """Whether this is running English: six words or more, mostly letters, one word in ten a function word."""
    words = paragraph.split()
    if len(words) < 6:
        return False
    characters = sum(map(len, words))
    if sum(map(str.isalpha, paragraph)) < 0.77 * characters:
        return False
    return 10 * sum(word.lower().strip("(\"'.,;:") in FUNCTION_WORDS for word in words) >= len(words)


class _Blocks(html.parser.HTMLParser):
    SKIPPED = frozenset("script style pre nav svg math head title note button select textarea".split())
    INLINE = frozenset("""a abbr b bdi bdo big cite code dfn em font hi i kbd mark q s samp seg small span strong sub sup
        tt u var w divinename transchange foreign reference acronym br milestone chapter""".split())

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.blocks, self.pieces, self.skipping = [], [], []

    def finish_block(self):
        block = "".join(self.pieces)
        self.pieces = []
        if block and not block.isspace():
            self.blocks.append(block)

    def handle_startendtag(self, tag, attributes):
        if tag not in self.SKIPPED:
            self.handle_starttag(tag, attributes)

    def handle_starttag(self, tag, attributes):
        if tag in self.SKIPPED:
            self.skipping.append(tag)
        elif tag == "br":
            self.pieces.append(" ")
        elif tag not in self.INLINE:
            self.finish_block()

    def handle_endtag(self, tag):
        if tag in self.skipping:
            while self.skipping.pop() != tag:
                pass
            self.pieces.append(" ")
        elif tag not in self.INLINE:
            self.finish_block()

    def handle_data(self, data):
        if not self.skipping:
            self.pieces.append(data)


def markup_blocks(text):
    """Blocks of text of an HTML or OSIS document, without notes, titles, scripts and preformatted parts."""
    parser = _Blocks()
    parser.feed(text)
    parser.close()
    parser.finish_block()
    return parser.blocks
