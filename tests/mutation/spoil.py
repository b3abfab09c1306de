"""Bytes and text with a few places changed, by a seeded source of chance. Of formats it knows only tokens."""

import random
import re

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 9, 16, 28, 40, 63, 127, 255, 256, 4096, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
TOKENS = re.compile(rb"[A-Za-z0-9_,.-]+|\s+|.", re.DOTALL)
DEVICE_TREE = [
    *(b"{", b"}", b";", b"<", b">", b"[", b"]", b"(", b")", b'"', b"'", b"\\", b"/", b"*", b"&", b":"),
    *(b"=", b",", b"#include", b"/*", b"//", b"&scmi_xen", b"&nowhere", b"&{/}", b"&{/nowhere}"),
    *(b"&{/soc}", b"&soc", b"0x", b"09", b"99999999999999999999", b"(1<<33)", b"(1/0)", b"(1<<-1)"),
    *(b"4294967296", b"0xffffffff", b"-1", b"/delete-node/", b"/delete-property/", b"/bits/", b"64"),
    *(b"8", b"/plugin/;", b"/dts-v1/;", b"/omit-if-no-ref/", b"/memreserve/", b"label:", b"name@1@2"),
    *(b"\x00", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b"FOO", b'/include/"host.dts"'),
    *(b'/include/"nothing"', b'/include/"."', b'/include/"/dev/zero"', b'/incbin/("host.dtb")'),
    *(b"phandle=<1>;", b'/incbin/("host.dtb",99999999999,1)', b"__overlay__", b"#address-cells"),
    *(b"ranges;", b"xen,sci", b"\\377", b"'ab'", b'"unclosed'),
    *(b'"p2a"', b'"a2p"', b"interrupts", b"<0 80 4>", b"<1 7 4>", b"interrupt-parent=<1>;"),
]
TOML = [
    *(b"[", b"]", b"[[", b"]]", b"{", b"}", b"=", b",", b".", b"#", b'"', b"'", b'"""', b"'''", b"\\"),
    *(b"-1", b"1e400", b"nan", b"inf", b"0x", b"1_", b"99999999999999999999", b"9223372036854775808"),
    *(b"true", b"1979-05-27T07:32:00Z", b"1.5", b"\x00", b"\xff", b"\xc3\xa9", b"[agent]"),
    *(b"p2a_shmem=0x47ff3000", b"p2a_interrupt=20", b"a2p_interrupt=112", b"p2a_interrupt"),
    *(b"[[agent]]", b"[[nothing]]", b"name=1", b"id=4294967296", b"[]", b"{}", b"\r", b"\n"),
    *(b"[" * 5000, b"a." * 5000),
]
XL = [
    *(b"[", b"]", b"[[", b"]]", b"(", b")", b"=", b"+=", b",", b";", b"#", b'"', b"'", b"\\", b'"""'),
    *(b"-1", b"0x", b"010", b"99999999999999999999", b"\x00", b"\xff", b"\xc3\xa9", b"\r", b"\n"),
    *(b"name=", b"[[]]", b"name=[]", b'"type=scmi_smc_multiagent"', b'"agent_id=1"', b"agent_id=256"),
    *(b"type=", b'iomem=["0,0"]', b'"fffffffffffff,1"', b'dtdev=["/"]', b"vcpus=0", b"memory=-5"),
    *(b'device_tree="."', b'device_tree="/dev/zero"', b'on_crash="x"', b'name="xen"', b'name="/"'),
    *(b"\xe2\x80\xa8",),
    *(b"irqs=[112]", b"irqs=[31]", b'irqs=["x"]', b"112", b"1020", b'"47fe3,1@22002"', b'"47ff3,1@22002"'),
    *(b"[" * 5000, b"9" * 5000),
]


def flipped(image: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes cut, doubled or overwritten, 32-bit words exchanged: for binary formats."""
    changed = bytearray(image)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) or 1)
        word = at // 4 * 4
        match chance.randrange(8):
            case 0 | 1:
                changed[at : at + 1] = bytes([(changed[at] if changed else 0) ^ 1 << chance.randrange(8)])
            case 2:
                del changed[chance.choice((at, word)) :]
            case 3:
                del changed[word : word + 4 * chance.randint(1, 8)]
            case 4:
                changed[word:word] = changed[word : word + 4 * chance.randint(1, 8)]
            case 5:  # a token of the structure block, or a length
                changed[word : word + 4] = chance.choice(NUMBERS).to_bytes(4, "big")
            case 6:  # the header: sizes, offsets, versions
                field = 4 * chance.randrange(10)
                changed[field : field + 4] = chance.choice((*NUMBERS, at, len(changed))).to_bytes(4, "big")
            case _:
                other = chance.randrange(len(changed) or 1) // 4 * 4
                changed[word : word + 4], changed[other : other + 4] = (
                    changed[other : other + 4],
                    changed[word : word + 4],
                )
    return bytes(changed)


def shuffled(text: bytes, chance: random.Random, odd: list[bytes]) -> bytes:
    """Tokens deleted, doubled, exchanged, put in or replaced by ``odd`` ones: for text formats."""
    tokens = TOKENS.findall(text)
    for _ in range(chance.randint(1, 3)):
        at, other = (chance.randrange(len(tokens) or 1) for _ in range(2))
        match chance.randrange(7):
            case 0:
                del tokens[at : at + chance.randint(1, 6)]
            case 1:
                tokens[other:other] = tokens[at : at + chance.randint(1, 30)]
            case 2:
                tokens[at : at + 1], tokens[other : other + 1] = (
                    tokens[other : other + 1],
                    tokens[at : at + 1],
                )
            case 3:
                tokens[at:at] = [chance.choice(odd)]
            case 4:
                tokens[at : at + 1] = [chance.choice(odd)]
            case 5:
                tokens = _other_number(tokens, chance)
            case _ if not chance.randrange(4):
                del tokens[at:]
            case _:
                tokens[at : at + 1] = tokens[other : other + 1]
    return b"".join(tokens)


def renumbered(text: bytes, chance: random.Random) -> bytes:
    """One or two numbers exchanged for a neighbour, or for another of the file: all still parses."""
    tokens = TOKENS.findall(text)
    places = [at for at, token in enumerate(tokens) if re.fullmatch(rb"0x[0-9a-f_]+|[0-9][0-9_]*", token)]
    for at in chance.sample(places, min(len(places), chance.randint(1, 2))):
        other = tokens[chance.choice(places)]
        neighbour = int(tokens[at], 0) + chance.choice((-1, 1, 0x1000))
        tokens[at] = other if chance.randrange(2) else b"%#x" % max(neighbour, 0)
    return b"".join(tokens)


def _other_number(tokens: list[bytes], chance: random.Random) -> list[bytes]:
    """One number replaced by another, so that the text still parses."""
    places = [at for at, token in enumerate(tokens) if token[:1].isdigit()]
    if places:
        number = chance.choice(NUMBERS) if chance.randrange(4) else chance.randrange(1 << 66)
        tokens[chance.choice(places)] = hex(number).encode() if chance.randrange(2) else b"%d" % number
    return tokens
