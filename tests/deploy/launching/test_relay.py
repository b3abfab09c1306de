"""Pages of nodes that serve none: asked for over the link, answered by that node or by nobody."""

import threading
from collections.abc import Callable

import pytest

from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.launching.relay import PAGE_BYTES_MAX, Relay, RelayedPage
from deploy.metrics.listening import Unavailable

IVI = Identity("ab" * 16, "guest", "ivi", 2)
TCU = Identity("ab" * 16, "guest", "tcu", 1)
OLD = Identity("ab" * 16, "guest", "ivi", 1)
SHORT_S = 0.02
Answer = Callable[[Relay, Identity, m.Order], None]


def relaying(answer: Answer, patience_s: float = 10.0) -> Relay:
    """A relay whose nodes answer like this."""
    relay = Relay(lambda identity, order: answer(relay, identity, order), patience_s)
    return relay


def test_each_gets_what_its_own_node_says_in_the_form_that_was_asked_for() -> None:
    def answer(relay: Relay, identity: Identity, order: m.Order) -> None:
        assert order.word == "page"
        number, is_open = order.arguments
        relay.heard(identity, m.Page(number, f"{identity.name} {is_open}".encode()))

    relay = relaying(answer)
    assert RelayedPage(relay, IVI).text() == b"ivi False"
    assert RelayedPage(relay, TCU).open_text() == b"tcu True"


@pytest.mark.parametrize("who", [TCU, OLD])
def test_an_answer_of_another_node_or_an_earlier_incarnation_is_nobodys(who: Identity) -> None:
    relay = relaying(lambda relay, _, order: relay.heard(who, m.Page(order.arguments[0], b"1")), SHORT_S)
    with pytest.raises(Unavailable, match="ivi did not answer"):
        RelayedPage(relay, IVI).text()


def test_an_answer_that_comes_too_late_is_not_the_next_question_s() -> None:
    asked: list[int] = []

    def answer(relay: Relay, identity: Identity, order: m.Order) -> None:
        asked.append(order.arguments[0])
        if len(asked) > 1:
            relay.heard(identity, m.Page(asked[0], b"late"))
            relay.heard(identity, m.Page(asked[1], b"now"))

    relay = relaying(answer, SHORT_S)
    with pytest.raises(Unavailable):
        relay.fetch(IVI, False)
    assert relay.fetch(IVI, False) == b"now"
    assert not relay._open


def test_a_page_beyond_the_bound_is_not_passed_on() -> None:
    sizes = [PAGE_BYTES_MAX, PAGE_BYTES_MAX + 1]
    relay = relaying(
        lambda relay, who, order: relay.heard(who, m.Page(order.arguments[0], b" " * sizes.pop(0)))
    )
    assert len(relay.fetch(IVI, False)) == PAGE_BYTES_MAX
    with pytest.raises(Unavailable, match=f"{PAGE_BYTES_MAX + 1} bytes"):
        relay.fetch(IVI, False)


def test_who_does_not_answer_holds_up_nobody_else() -> None:
    asked = threading.Event()
    held: list[m.Order] = []

    def answer(relay: Relay, identity: Identity, order: m.Order) -> None:
        if identity == TCU:
            held.append(order)
            asked.set()
        else:
            relay.heard(identity, m.Page(order.arguments[0], b"ivi"))

    relay = relaying(answer)
    told: list[bytes] = []
    waiting = threading.Thread(target=lambda: told.append(relay.fetch(TCU, False)))
    waiting.start()
    assert asked.wait(10)
    assert relay.fetch(IVI, False) == b"ivi"
    assert not told
    relay.heard(TCU, m.Page(held[0].arguments[0], b"tcu"))
    waiting.join(10)
    assert told == [b"tcu"]
