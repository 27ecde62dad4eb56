#!/usr/bin/env python3
"""Writes secrets in every encoding that Python's standard library has, one JSON object a line.

    encode.py SECRETS SEED          {"name", "secret", "before", "encoded", "after", "around", "chunks"}
    encode.py SECRETS SEED DEPTH    the same, each secret in encodings of encodings, so many one upon the other

`chunks` joined are `before + encoded + after`, cut at random places. The encoders are Python's own, so that what the redactor
undoes is what others make, not what its author thinks they make. `around` is how long the encoding of nothing is.
"""
import base64, binascii, codecs, gzip, html, json, quopri, random, string, sys, urllib.parse, zlib

count, seed = int(sys.argv[1]), int(sys.argv[2])
depth = int(sys.argv[3]) if len(sys.argv) > 3 else None
rng = random.Random(seed)

ALNUM = string.ascii_letters + string.digits
WORDS = "the answer of this tool is below and was made for you by a program that says what it did; see line".split()


def pick(alphabet, low, high):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(low, high)))


def secret(number):
    kinds = [
        lambda: pick(ALNUM, 20, 64),
        lambda: "ghp_" + pick(ALNUM, 36, 36),
        lambda: base64.b64encode(rng.randbytes(30)).decode(),
        lambda: rng.randbytes(20).hex(),
        lambda: pick(ALNUM + "!#$%&()*+,-./:;<=>?@[]^_{|}~", 12, 24),
        lambda: pick(ALNUM + "_-", 24, 40),
        lambda: "-".join(pick(string.ascii_lowercase, 5, 8) for _ in range(4)),
        lambda: f"postgres://app:{pick(ALNUM, 16, 20)}@db-{pick(ALNUM, 4, 4)}.example:5432/main",
        lambda: pick(ALNUM, 5, 8) + '"\\/' + pick(ALNUM, 8, 12) + "&<>' " + pick(ALNUM, 4, 6),
        lambda: pick(ALNUM, 12, 16),
    ]
    return kinds[number % len(kinds)]()


def b(text):
    return text.encode()


def lines(text, width):
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def b64(data):
    return base64.b64encode(data).decode()


def full_width(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def styled(text):
    def one(c):
        if c.isascii() and c.isupper():
            return chr(0x1D400 + ord(c) - 65)
        if c.isascii() and c.islower():
            return chr(0x1D41A + ord(c) - 97)
        return chr(0x1D7CE + ord(c) - 48) if c.isdigit() else c

    return "".join(map(one, text))


def zlibbed(text):
    return zlib.compress(b(text))


def gzipped(text):
    return gzip.compress(b(text), mtime=0)



rot13 = lambda text: codecs.encode(text, "rot13")
quote_all = lambda text: "".join(f"%{byte:02X}" for byte in b(text))

ENCODINGS = {
    "plain": lambda s: s,
    "upper": str.upper,
    "lower": str.lower,
    "swapcase": str.swapcase,
    "reversed": lambda s: s[::-1],
    "rot13": rot13,
    "rot13-reversed": lambda s: rot13(s)[::-1],
    "base64": lambda s: b64(b(s)),
    "base64-unpadded": lambda s: b64(b(s)).rstrip("="),
    "base64-after-1": lambda s: b64(b("x" + s)),
    "base64-after-2": lambda s: b64(b("xy" + s)),
    "base64-in-text": lambda s: b64(b("user=ann token=" + s + " until=2027")),
    "base64-in-binary": lambda s: b64(bytes(range(128, 160)) + b(s) + bytes(range(200, 230))),
    "base64-urlsafe": lambda s: base64.urlsafe_b64encode(b("~~?>" + s)).decode(),
    "base64-mime": lambda s: base64.encodebytes(b("header: " * 12 + s + " trailer" * 12)).decode(),
    "base64-wrapped-20": lambda s: lines(b64(b(s)), 20),
    "base64-wrapped-crlf": lambda s: lines(b64(b(s)), 12).replace("\n", "\r\n"),
    "base64-spaced": lambda s: " ".join(b64(b(s))),
    "base64-reversed": lambda s: b64(b(s))[::-1],
    "base64-rot13": lambda s: rot13(b64(b(s))),
    "base64-of-reversed": lambda s: b64(b(s[::-1])),
    "base64-of-rot13": lambda s: b64(b(rot13(s))),
    "base64-twice": lambda s: b64(b(b64(b(s)))),
    "base64-thrice": lambda s: b64(b(b64(b(b64(b(s)))))),
    "base64-of-utf16": lambda s: b64(s.encode("utf-16-le")),
    "base64-of-utf16-be": lambda s: b64(s.encode("utf-16-be")),
    "base64-of-utf32": lambda s: b64(s.encode("utf-32")),
    "base64-of-hex": lambda s: b64(binascii.hexlify(b(s))),
    "hex": lambda s: b(s).hex(),
    "hex-upper": lambda s: b(s).hex().upper(),
    "hex-colons": lambda s: binascii.hexlify(b(s), ":").decode(),
    "hex-spaces": lambda s: b(s).hex(" "),
    "hex-spaces-4": lambda s: b(s).hex(" ", 4),
    "hex-0x": lambda s: "0x" + b(s).hex(),
    "hex-0x-list": lambda s: ", ".join(hex(byte) for byte in b(s)),
    "hex-x-escapes": lambda s: "".join(f"\\x{byte:02x}" for byte in b(s)),
    "hex-lines": lambda s: lines(b(s).hex(), 10),
    "hex-reversed": lambda s: b(s).hex()[::-1],
    "hex-of-base64": lambda s: b(b64(b(s))).hex(),
    "hex-of-utf16": lambda s: s.encode("utf-16-be").hex(),
    "base32": lambda s: base64.b32encode(b(s)).decode(),
    "base32-lower": lambda s: base64.b32encode(b(s)).decode().lower(),
    "base32-hex": lambda s: base64.b32hexencode(b(s)).decode(),
    "base32-of-base64": lambda s: base64.b32encode(b(b64(b(s)))).decode(),
    "percent": urllib.parse.quote,
    "percent-all": quote_all,
    "percent-lower": lambda s: quote_all(s).lower(),
    "percent-twice": lambda s: urllib.parse.quote(quote_all(s)),
    "percent-plus": urllib.parse.quote_plus,
    "percent-of-base64": lambda s: urllib.parse.quote(b64(b(s)), safe=""),
    "json": lambda s: json.dumps(s),
    "json-in-json": lambda s: json.dumps(json.dumps({"key": s})),
    "json-u": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "json-u-upper": lambda s: "".join(f"\\u{ord(c):04X}" for c in s),
    "unicode-U": lambda s: "".join(f"\\U{ord(c):08x}" for c in s),
    "python-repr": lambda s: repr(b(s)),
    "octal": lambda s: "".join(f"\\{byte:03o}" for byte in b(s)),
    "octal-list": lambda s: " ".join(f"{byte:03o}" for byte in b(s)),
    "html": html.escape,
    "html-decimal": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "html-hex": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "xmlcharref-styled": lambda s: styled(s).encode("ascii", "xmlcharrefreplace").decode(),
    "quoted-printable": lambda s: quopri.encodestring(b(s + "=" * 4)).decode(),
    "quoted-printable-all": lambda s: "".join(f"={byte:02X}" for byte in b(s)),
    "decimal-list": lambda s: str(list(b(s))),
    "decimal-spaces": lambda s: " ".join(str(byte) for byte in b(s)),
    "binary-list": lambda s: " ".join(f"{byte:08b}" for byte in b(s)),
    "chr-sum": lambda s: "+".join(f"chr({ord(c)})" for c in s),
    "spaced": " ".join,
    "comma-joined": ",".join,
    "dotted": ".".join,
    "dashed": "-".join,
    "lined": "\n".join,
    "char-list": lambda s: json.dumps(list(s)),
    "concatenated": lambda s: '" + "'.join(s[at : at + 4] for at in range(0, len(s), 4)),
    "zero-width": "\u200b".join,
    "soft-hyphen": "\u00ad".join,
    "bidi": "\u202e\u2060".join,
    "full-width": full_width,
    "styled": styled,
    "tags": lambda s: "".join(chr(0xE0000 + ord(c)) for c in s),
    "utf16-as-text": lambda s: s.encode("utf-16-le").decode("latin-1"),
    "utf16-be-as-text": lambda s: s.encode("utf-16-be").decode("latin-1"),
    "gzip-base64": lambda s: b64(gzipped(s)),
    "gzip-hex": lambda s: gzipped(s).hex(),
    "gzip-base32": lambda s: base64.b32encode(gzipped(s)).decode(),
    "gzip-base64-mime": lambda s: base64.encodebytes(gzipped(" ".join(WORDS) + s)).decode(),
    "gzip-urlsafe": lambda s: base64.urlsafe_b64encode(gzipped(s)).decode(),
    "zlib-base64": lambda s: b64(zlibbed(s)),
    "zlib-best-base64": lambda s: b64(zlib.compress(b(s * 3), 9)),
    "zlib-fast-base64": lambda s: b64(zlib.compress(b(s), 1)),
    "zlib-hex": lambda s: zlibbed(s).hex(),
    "zlib-as-text": lambda s: zlibbed(s).decode("latin-1"),
    "gzip-as-text": lambda s: gzipped(s).decode("latin-1"),
    "base64-gzip-base64": lambda s: b64(b(b64(gzipped(s)))),
    "gzip-of-base64": lambda s: b64(gzipped(b64(b(s)))),
    "percent-of-base64-of-hex": lambda s: urllib.parse.quote(b64(b(b(s).hex())), safe=""),
    "json-of-base64-of-json": lambda s: json.dumps({"v": b64(b(json.dumps({"key": s})))}),
    "zero-width-base64": lambda s: "\u200d".join(b64(b(s))),
    "full-width-base64": lambda s: full_width(b64(b(s))),
    "hex-of-gzip-of-json": lambda s: gzipped(json.dumps([s])).hex(),
}


def chunks(text):
    cuts = sorted(rng.randint(0, len(text)) for _ in range(rng.randint(0, 6)))
    return [text[a:z] for a, z in zip([0] + cuts, cuts + [len(text)])]


def words(most):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, most)))


# One encoding each that keeps every sign of what it is given: upon these, others can be laid.
SINGLE = """reversed rot13 base64 base64-unpadded base64-after-1 base64-after-2 base64-in-text base64-urlsafe base64-mime base64-wrapped-20
hex hex-upper hex-colons hex-spaces hex-0x-list hex-x-escapes hex-lines base32 base32-lower percent percent-all percent-lower json json-u
unicode-U octal octal-list html html-decimal html-hex quoted-printable-all decimal-list decimal-spaces binary-list spaced lined
comma-joined concatenated zero-width soft-hyphen bidi full-width""".split()


def upon(names):
    """The encodings one after the other, the first the innermost."""

    def encode(text):
        for name in names:
            text = ENCODINGS[name](text)
        return text

    return encode


def ways():
    """What each secret is put through."""
    if depth is None:
        return ENCODINGS.items()
    several = (rng.sample(SINGLE, depth) for _ in range(400))
    return ((" > ".join(names), upon(names)) for names in several)


for number in range(count):
    value = secret(number)
    for name, encode in ways():
        encoded = encode(value)
        before, after = words(12) + ": ", "; " + words(12)
        print(json.dumps({
            "name": name, "secret": value, "before": before, "encoded": encoded, "after": after,
            "around": len(encode("").encode()), "chunks": chunks(before + encoded + after),
        }))
