"""The picture: well-formed, complete, legible with many agents, refusals only where they are asked for."""

from itertools import combinations
from xml.etree import ElementTree as Xml

import msgspec
import pytest

from deploy.explain.canvas import DIM, PAPER, cut
from deploy.explain.facts import Channel, Domain, Facts, WayBack, gather
from deploy.explain.layout import lay_out
from deploy.explain.picture import REFUSED, WAY_BACK, draw
from deploy.explain.rehearsal import Ring
from deploy.explain.subject import Subject, find
from deploy.topology import load_shipped

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def facts() -> Facts:
    return gather(load_shipped())


def many(count: int) -> Facts:
    """``count`` agents with a domain each, beside Xen's."""
    channels = [Channel(0x8200_0003, 0x47FF_1000, 999, "xen", "t", True, True, True, "Xen", None)]
    domains = []
    for at in range(count):
        fid, page, name = 0x8200_0010 + at, 0x5000_0000 + at * 0x1000, f"a-domain-{at}"
        channels.append(Channel(fid, page, at, name, "t", False, True, False, name, 0x2200_1000))
        domains.append(Domain(name, "guest", "f", at, at, fid, 0x2200_1000, fid, 0x2200_1000, (), ""))
    rings = tuple(
        Ring(one.name, channel.func_id, -1, one.func_id == channel.func_id)
        for one in domains
        for channel in channels
    )
    base = gather(load_shipped())
    return msgspec.structs.replace(base, channels=tuple(channels), domains=tuple(domains), rings=rings)


def parts(svg: str, tag: str) -> list[Xml.Element]:
    return list(Xml.fromstring(svg).iter(SVG + tag))


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in parts(svg, "text")]


def crosses(svg: str) -> int:
    """How many refused rings are drawn: each is a dashed curve and a cross, both red."""
    red = [one for one in parts(svg, "path") if one.get("stroke") == REFUSED and "C" in one.get("d", "")]
    return len(red)


def test_it_has_its_own_background_and_everything_there_is(facts: Facts) -> None:
    svg = draw(facts, Subject("platform"))
    first = parts(svg, "rect")[0]
    root = Xml.fromstring(svg)
    assert first.get("fill") == PAPER
    assert (first.get("width"), first.get("height")) == (root.get("width"), root.get("height"))
    shown = texts(svg)
    for channel in facts.channels:
        assert f"{channel.func_id:#x}" in shown
        assert f"{channel.page:#x}" in shown
        assert f"agent {channel.agent_id} · {channel.name}" in shown
    for domain in facts.domains:
        assert domain.name in shown
    assert shown.count("@0x22001000") == 3


def test_equal_facts_give_equal_pictures(facts: Facts) -> None:
    assert draw(facts, Subject("platform")) == draw(gather(load_shipped()), Subject("platform"))


def test_refusals_are_drawn_to_what_is_asked_about_only(facts: Facts) -> None:
    assert crosses(draw(facts, Subject("platform"))) == 0
    assert crosses(draw(facts, find(facts, "channel", "0x82000004"))) == 3
    assert crosses(draw(facts, find(facts, "agent", "xen"))) == 4
    assert crosses(draw(facts, find(facts, "domain", "ivi"))) == 4


def test_what_is_not_asked_about_is_dim(facts: Facts) -> None:
    def dim(svg: str) -> int:
        return sum(group.get("opacity") == DIM for group in parts(svg, "g"))

    assert dim(draw(facts, Subject("platform"))) == 0
    assert dim(draw(facts, find(facts, "domain", "ivi"))) == 3 * 4
    assert dim(draw(facts, find(facts, "channel", "0x82000004"))) == 2 * 4 + 1  # who tries stays bright


@pytest.mark.parametrize("count", [1, 4, 7, 8, 15, 16, 40])
def test_boxes_never_overlap_nor_leave_the_picture(count: int) -> None:
    found = many(count)
    layout = lay_out(found, rings=True)
    for one, other in combinations(layout.columns, 2):
        assert one.row != other.row or abs(one.x - other.x) >= layout.box + 8
    for column in layout.columns:
        assert column.x - layout.box / 2 > 0
        assert column.x + layout.box / 2 < layout.width
    assert layout.domains.bottom < layout.xen.top < layout.xen.bottom < layout.firmware.top
    assert len(layout.columns) == count + 1


@pytest.mark.parametrize("count", [4, 16])
def test_it_is_legible_at_a_thousand_pixels(count: int) -> None:
    svg = draw(many(count), Subject("platform"))
    scale = min(1.0, 1000 / float(Xml.fromstring(svg).get("width", "0")))
    assert min(float(one.get("font-size", "0")) for one in parts(svg, "text")) * scale >= 9
    assert f"{0x8200_0010 + count - 1:#x}" in texts(svg)
    assert not [words for words in texts(svg) if words.startswith("0x") and "…" in words]


def test_whatever_is_in_a_name_the_picture_is_well_formed() -> None:
    found = many(2)
    odd = msgspec.structs.replace(found.domains[0], name='<a & "b">\x01')
    owned = msgspec.structs.replace(found.channels[1], owner=odd.name)
    channels = (found.channels[0], owned, found.channels[2])
    odd_facts = msgspec.structs.replace(found, domains=(odd, found.domains[1]), channels=channels)
    assert '<a & "b">?' in texts(draw(odd_facts, Subject("platform")))


def test_what_is_wrong_is_seen() -> None:
    found = many(2)
    lost = msgspec.structs.replace(found.channels[1], guest_page=None)
    free = msgspec.structs.replace(found.channels[2], owner="")
    alien = msgspec.structs.replace(free, func_id=1, listed="")
    gone = msgspec.structs.replace(found.domains[1], problem="no", agent_id=None)
    bad = msgspec.structs.replace(
        found,
        channels=(found.channels[0], lost, free, alien),
        domains=(found.domains[0], gone),
        mediator="",
    )
    shown = texts(draw(bad, Subject("platform")))
    for words in ("not mapped", "nobody", "not in the", "not created", "has no mediator:"):
        assert words in shown


# ---- the way back -----------------------------------------------------------------------------


def strokes(svg: str, colour: str) -> int:
    """How many lines are drawn in a colour; the legend has one of each."""
    return sum(one.get("stroke") == colour for one in parts(svg, "path"))


def reached(count: int, receiver: str) -> Facts:
    found = many(count)
    way = WayBack(0x6000_0000, 0x2200_2000, 112, receiver, True)
    first = msgspec.structs.replace(found.channels[1], p2a=way)
    return msgspec.structs.replace(found, channels=(found.channels[0], first, *found.channels[2:]))


def test_a_way_back_is_an_arrow_to_who_has_the_interrupt(facts: Facts) -> None:
    svg = draw(facts, Subject("platform"))
    assert strokes(svg, WAY_BACK) == 3  # the line, its head, the legend
    assert "↑ 112 · 0x47fe3000" in texts(svg)
    assert strokes(draw(reached(4, "a-domain-0"), Subject("platform")), WAY_BACK) == 3
    assert strokes(draw(many(4), Subject("platform")), WAY_BACK) == 0


def test_a_way_back_that_ends_in_xen_is_a_cross() -> None:
    for receiver in ("", "a-domain-1"):
        svg = draw(reached(4, receiver), Subject("platform"))
        assert (strokes(svg, REFUSED), strokes(svg, WAY_BACK)) == (2, 1)


@pytest.mark.parametrize("count", [7, 16])
def test_where_there_is_no_room_for_the_arrow_the_agent_still_says_it(count: int) -> None:
    svg = draw(reached(count, "a-domain-0"), Subject("platform"))
    assert strokes(svg, WAY_BACK) == 1
    assert [words for words in texts(svg) if words.startswith("↑ 112")]


@pytest.mark.parametrize(
    ("words", "room", "seen"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a, b", 3, "a…")]
)
def test_text_is_cut_visibly(words: str, room: int, seen: str) -> None:
    assert cut(words, room) == seen
