"""The space-time diagram: one arrow per message, those that show the violation highlighted."""

from deploy.experiments.checkers import Violation
from deploy.experiments.judging.diagram import draw
from deploy.recording import events

HEAD = 0x10 << 10 | 5 << 18  # BASE, version, token 5


def test_a_call_is_four_arrows_from_when_its_sender_had_what_made_it_send() -> None:
    call: list[events.Event] = [
        events.Trapped(1, 100, "ivi#1", 7, 0x17, 0, (0,) * 8, 0, 4, HEAD, b""),
        events.Forwarded(2, 200, 3, 7, 0x82000100, "ivi#1", HEAD, b""),
        events.Executed(3, 300, 3, 0, 1, HEAD, b"", 0),
        events.Returned(4, 400, "ivi#1", 7, "return", 0, "", True, 1, HEAD, b"", -3),
        events.Missed(5, 500, "ivi#1", "xen", "lost", "trap", 8),
    ]
    arrows = draw(call, Violation("tokens", 400, "wrong", ("ivi",), (3, 4)))
    told = [(one.sent_ns, one.received_ns, one.sender, one.receiver) for one in arrows]
    assert told == [
        (100, 100, "ivi#1", "xen"),
        (100, 200, "xen", "firmware"),
        (200, 300, "firmware", "xen"),
        (300, 400, "xen", "ivi#1"),
        (500, None, "ivi#1", "xen"),
    ]
    assert [one.highlighted for one in arrows] == [False, False, True, True, False]
    assert arrows[3].text == "DENIED"
    assert "token 5" in arrows[0].text
