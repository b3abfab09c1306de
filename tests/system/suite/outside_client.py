"""A client from outside: what the SCMI conformance suite asserts (it is of specification 2.0), row by row.

    outside_client.py SOCKET FACTS.json [--json] [--newest]

It knows the stream that ``trapline attach`` serves and SCMI as the suite has it, and imports nothing but the
standard library. FACTS says what the platform has, as the suite's own configuration does. Each row is
expected against got; exit code 1 if any differs.

The suite asserts specification 2.0, so the first thing said in each protocol is NEGOTIATE_PROTOCOL_VERSION
down to the version of that time: later ones have attributes where the suite wants zeros, and commands where
it wants none. A platform without that command has to speak such a version already. Where the suite skips
what a platform lacks, there is no row. --newest negotiates nothing, to see what that costs.
"""

import json
import socket
import struct
import sys
from collections.abc import Iterator

BASE, POWER, SYSTEM, PERF, CLOCK, SENSOR, RESET = range(0x10, 0x17)
NAMES = dict(enumerate(("Base", "Power", "System", "Perf", "Clock", "Sensor", "Reset"), BASE))
VERSIONS = {
    BASE: 0x20000, POWER: 0x20000, SYSTEM: 0x10000, PERF: 0x20000, CLOCK: 0x10000, SENSOR: 0x10000,
    RESET: 0x10000,
}  # fmt: skip
SENSOR_LAST = 0xB  # at 0x20000, which specification 2.0 has not, and platforms of its time do
LAST = {BASE: 0xB, POWER: 0x7, SYSTEM: 0x5, PERF: 0xB, CLOCK: 0x7, SENSOR: 0x6, RESET: 0x5}
MANDATORY = {
    BASE: (0, 1, 2, 3, 5, 6), POWER: (0, 1, 2, 3, 4, 5), SYSTEM: (0, 1, 2, 3), PERF: tuple(range(9)),
    CLOCK: tuple(range(8)), SENSOR: (0, 1, 2, 3, 6), RESET: (0, 1, 2, 3, 4),
}  # fmt: skip
STATUS = (
    "SUCCESS", "NOT_SUPPORTED", "INVALID_PARAMETERS", "DENIED", "NOT_FOUND", "OUT_OF_RANGE", "BUSY",
    "COMMS_ERROR", "GENERIC_ERROR", "HARDWARE_ERROR", "PROTOCOL_ERROR",
)  # fmt: skip
VERSION, ATTRIBUTES, MESSAGE_ATTRIBUTES, NEGOTIATE = 0x0, 0x1, 0x2, 0x10
BAD = 0xFFFF
Row = tuple[int, str, str, str]  # protocol, what was asked, expected, got


class Channel:
    """One agent's channel. Every response has to carry the very header of its command."""

    def __init__(self, path: str) -> None:
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.settimeout(20)
        self.stream.connect(path)
        self.token = 0

    def call(self, protocol: int, message: int, *words: int) -> tuple[str, bytes]:
        """(the status' name, what follows it)."""
        self.token = (self.token + 1) & 0x3FF
        header = self.token << 18 | protocol << 10 | message
        body = struct.pack(f"<I{len(words)}I", header, *(word & 0xFFFF_FFFF for word in words))
        self.stream.sendall(struct.pack("<I", len(body)) + body)
        while True:
            answer = self._frame()
            if len(answer) < 8:
                return "no answer", b""
            (found, status) = struct.unpack_from("<Ii", answer)
            if found >> 8 & 3:
                continue  # a notification or a delayed response
            if found != header:
                return f"header {found:#010x} for {header:#010x}", b""
            name = STATUS[-status] if -len(STATUS) < status <= 0 else str(status)
            return name, answer[8:]

    def _frame(self) -> bytes:
        (size,) = struct.unpack("<I", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        found = self.stream.recv(size, socket.MSG_WAITALL)
        if len(found) != size:
            raise SystemExit("the platform ended the conversation")
        return found


class Suite:
    """The rows; ``facts`` are what the platform has."""

    def __init__(self, channel: Channel, facts: dict, newest: bool) -> None:
        self.channel = channel
        self.facts = facts
        self.newest = newest
        self.last: dict[int, int] = {}

    def row(self, protocol: int, what: str, expected: str, message: int, *words: int) -> Row:
        return protocol, what, expected, self.channel.call(protocol, message, *words)[0]

    def every(self) -> Iterator[Row]:
        for protocol in VERSIONS:
            yield from self.common(protocol)
        yield from self.base()
        yield from self.permissions()
        for part in (
            self.power,
            self.system,
            self.perf,
            self.perf_setting,
            self.clock,
            self.sensor,
            self.reset,
        ):
            yield from part()

    def common(self, protocol: int) -> Iterator[Row]:
        """Version, mandatory commands, an id past the last one, reserved bits of the attributes."""
        yield from self.negotiate(protocol)
        for message in MANDATORY[protocol]:
            what = f"MESSAGE_ATTRIBUTES of {message:#x}"
            yield self.row(protocol, what, "SUCCESS", MESSAGE_ATTRIBUTES, message)
        beyond = self.last.get(protocol, LAST[protocol]) + 1
        yield self.row(
            protocol, f"MESSAGE_ATTRIBUTES of {beyond:#x}", "NOT_FOUND", MESSAGE_ATTRIBUTES, beyond
        )
        yield self.row(protocol, f"command {beyond:#x}", "NOT_FOUND", beyond)
        _, found = self.channel.call(protocol, ATTRIBUTES)
        reserved = {BASE: 0xFFFF_0000, SYSTEM: 0xFFFF_FFFF, PERF: 0xFFFE_0000, CLOCK: 0xFF00_0000}
        word = struct.unpack_from("<I", found)[0] if len(found) >= 4 else 0xFFFF_FFFF
        left = word & reserved.get(protocol, 0xFF00_0000 if protocol == SENSOR else 0xFFFF_0000)
        yield protocol, "reserved bits of PROTOCOL_ATTRIBUTES", "0x0", f"{left:#x}"

    def negotiate(self, protocol: int) -> Iterator[Row]:
        wanted = VERSIONS[protocol]
        _, found = self.channel.call(protocol, VERSION)
        if self.newest or found == struct.pack("<I", wanted):
            return
        if self.channel.call(protocol, MESSAGE_ATTRIBUTES, NEGOTIATE)[0] == "SUCCESS":
            yield self.row(protocol, f"negotiate {wanted:#x}", "SUCCESS", NEGOTIATE, wanted)
        elif protocol == SENSOR:
            self.last[SENSOR] = SENSOR_LAST

    def base(self) -> Iterator[Row]:
        own = self.facts["agent"]
        yield self.row(BASE, "LIST_PROTOCOLS skip past the end", "INVALID_PARAMETERS", 0x6, 99)
        yield BASE, "DISCOVER_AGENT 0", "platform", self.agent(0)[1][:8]
        yield BASE, "DISCOVER_AGENT, own id", own["name"], self.agent(own["id"])[1]
        yield BASE, "DISCOVER_AGENT 0xFFFFFFFF", str((own["id"], own["name"])), str(self.agent(0xFFFF_FFFF))
        yield self.row(BASE, "DISCOVER_AGENT past the end", "NOT_FOUND", 0x7, self.facts["bad_agent"])
        if self.channel.call(BASE, MESSAGE_ATTRIBUTES, 0x8)[0] == "SUCCESS":
            yield self.row(BASE, "NOTIFY_ERRORS reserved bit", "INVALID_PARAMETERS", 0x8, 2)

    def agent(self, agent_id: int) -> tuple[int, str]:
        status, found = self.channel.call(BASE, 0x7, agent_id)
        if len(found) != 20:
            return -1, status
        return struct.unpack_from("<I", found)[0], found[4:].split(b"\0")[0].decode()

    def permissions(self) -> Iterator[Row]:
        agent, nobody, nothing = self.facts["agent"]["id"], self.facts["bad_agent"], self.facts["bad_device"]
        device, protocol = self.facts["device"]["id"], self.facts["device"]["protocol"]
        for what, expected, words in (
            ("bad agent", "NOT_FOUND", (nobody, device, 1)),
            ("bad flags", "INVALID_PARAMETERS", (agent, device, 2)),
            ("bad device", "NOT_FOUND", (agent, nothing, 1)),
        ):
            yield self.row(BASE, f"SET_DEVICE_PERMISSIONS {what}", expected, 0x9, *words)
        for what, expected, words in (
            ("bad agent", "NOT_FOUND", (nobody, device, protocol, 1)),
            ("of Base", "NOT_FOUND", (agent, device, BASE, 0)),
            ("bad flags", "INVALID_PARAMETERS", (agent, device, protocol, 2)),
            ("bad device", "NOT_FOUND", (agent, nothing, protocol, 1)),
        ):
            yield self.row(BASE, f"SET_PROTOCOL_PERMISSIONS {what}", expected, 0xA, *words)
        yield self.row(BASE, "RESET_AGENT_CONFIGURATION bad agent", "NOT_FOUND", 0xB, nobody, 1)
        yield self.row(BASE, "RESET_AGENT_CONFIGURATION bad flags", "INVALID_PARAMETERS", 0xB, agent, 2)
        for thing, message, words in (
            ("device", 0x9, (agent, device)),
            ("protocol", 0xA, (agent, device, protocol)),
        ):
            self.channel.call(BASE, message, *words, 0)
            yield BASE, f"{thing} denied: PROTOCOL_VERSION", "DENIED", self.version(protocol)
            self.channel.call(BASE, message, *words, 1)
            yield BASE, f"{thing} allowed: PROTOCOL_VERSION", "SUCCESS", self.version(protocol)
            self.channel.call(BASE, message, *words, 0)
            yield BASE, f"{thing} denied again: PROTOCOL_VERSION", "DENIED", self.version(protocol)
            yield self.row(BASE, f"{thing} denied: RESET_AGENT_CONFIGURATION", "SUCCESS", 0xB, agent, 1)
            yield BASE, f"{thing} denied and reset: PROTOCOL_VERSION", "SUCCESS", self.version(protocol)
        for one in VERSIONS:  # a reset forgets what was agreed on
            yield from self.negotiate(one)

    def version(self, protocol: int) -> str:
        return self.channel.call(protocol, VERSION)[0]

    def power(self) -> Iterator[Row]:
        domain, fixed = self.facts["power"]["domain"], self.facts["power"]["fixed"]
        for message, words in ((0x3, ()), (0x5, ()), (0x6, (0,)), (0x7, (0,))):
            yield self.row(POWER, f"{message:#x} bad domain", "NOT_FOUND", message, BAD, *words)
        yield self.row(POWER, "STATE_SET bad domain", "NOT_FOUND", 0x4, 0, BAD, 0)
        yield self.row(POWER, "STATE_SET bad flags", "INVALID_PARAMETERS", 0x4, 2, domain, 0)
        yield self.row(POWER, "STATE_SET bad state", "INVALID_PARAMETERS", 0x4, 0, domain, 0x8000_0000)
        yield self.row(POWER, "STATE_SET of a fixed domain", "NOT_SUPPORTED", 0x4, 0, fixed, 0)
        for message in (0x6, 0x7):
            what = f"{message:#x} bad enable word"
            yield self.row(POWER, what, "INVALID_PARAMETERS", message, domain, 2)
        yield self.row(POWER, "STATE_NOTIFY of a domain without", "NOT_SUPPORTED", 0x6, fixed, 1)
        _, found = self.channel.call(POWER, 0x3, domain)
        left = struct.unpack_from("<I", found)[0] & 0x1FFF_FFFF if found else -1
        yield POWER, "attributes, bits 28:0", "0x0", f"{left:#x}"

    def system(self) -> Iterator[Row]:
        yield self.row(SYSTEM, "STATE_SET bad flags", "INVALID_PARAMETERS", 0x3, 2, 0)
        yield self.row(SYSTEM, "MESSAGE_ATTRIBUTES of STATE_GET", "SUCCESS", MESSAGE_ATTRIBUTES, 0x4)
        yield self.row(SYSTEM, "STATE_GET", "NOT_SUPPORTED", 0x4)
        if self.channel.call(SYSTEM, MESSAGE_ATTRIBUTES, 0x5)[0] == "SUCCESS":
            yield self.row(SYSTEM, "STATE_NOTIFY bad enable word", "INVALID_PARAMETERS", 0x5, 2)

    def perf(self) -> Iterator[Row]:
        facts = self.facts["perf"]
        domain, bound = facts["domain"], facts["bound"]
        more = {0x3: 0, 0x4: 1, 0x5: 2, 0x6: 0, 0x7: 1, 0x8: 0, 0x9: 1, 0xA: 1, 0xB: 1}
        for message, count in more.items():
            yield self.row(PERF, f"{message:#x} bad domain", "NOT_FOUND", message, BAD, *(1,) * count)
        yield self.row(
            PERF, "DESCRIBE_LEVELS past the end", "INVALID_PARAMETERS", 0x4, domain, facts["levels"]
        )
        for message in (0x9, 0xA):
            yield self.row(PERF, f"{message:#x} bad enable word", "INVALID_PARAMETERS", message, domain, 2)
            yield self.row(PERF, f"{message:#x} of a domain without", "NOT_SUPPORTED", message, bound, 1)
        yield self.row(PERF, "FASTCHANNEL bad message", "NOT_FOUND", 0xB, domain, 0xFE)
        yield self.row(PERF, "FASTCHANNEL domain without", "NOT_SUPPORTED", 0xB, bound, facts["fast"])
        yield self.row(PERF, "FASTCHANNEL message without", "NOT_SUPPORTED", 0xB, domain, 0x8)

    def perf_setting(self) -> Iterator[Row]:
        facts = self.facts["perf"]
        domain, bound, low, high = facts["domain"], facts["bound"], facts["lowest"], facts["highest"]
        yield self.row(PERF, "LIMITS_SET max too high", "OUT_OF_RANGE", 0x5, domain, high + 1, low)
        yield self.row(PERF, "LIMITS_SET min too low", "OUT_OF_RANGE", 0x5, domain, high, low - 1)
        yield self.row(PERF, "LIMITS_SET min above max", "INVALID_PARAMETERS", 0x5, domain, low, high)
        yield self.row(PERF, "LIMITS_SET without the right", "DENIED", 0x5, bound, low, low)
        yield self.row(PERF, "LEVEL_SET without the right", "DENIED", 0x7, bound, low)
        yield self.row(PERF, "LEVEL_SET below the limits", "OUT_OF_RANGE", 0x7, domain, low - 1)
        yield self.row(PERF, "LEVEL_SET above the limits", "OUT_OF_RANGE", 0x7, domain, high + 1)

    def clock(self) -> Iterator[Row]:
        clock, rates = self.facts["clock"]["clock"], self.facts["clock"]["rates"]
        for message, words in (
            (0x3, (BAD,)),
            (0x4, (BAD, 0)),
            (0x5, (0, BAD, 1, 0)),
            (0x6, (BAD,)),
            (0x7, (BAD, 0)),
        ):
            yield self.row(CLOCK, f"{message:#x} bad clock", "NOT_FOUND", message, *words)
        yield self.row(CLOCK, "DESCRIBE_RATES past the end", "OUT_OF_RANGE", 0x4, clock, rates + 1)
        yield self.row(CLOCK, "RATE_SET bad flags", "INVALID_PARAMETERS", 0x5, 0x10, clock, 1_000_000, 0)
        yield self.row(CLOCK, "RATE_SET bad rate", "INVALID_PARAMETERS", 0x5, 0, clock, 0, 0xFFFF_FFFF)
        yield self.row(CLOCK, "CONFIG_SET bad attributes", "INVALID_PARAMETERS", 0x7, clock, 2)

    def sensor(self) -> Iterator[Row]:
        one, points = self.facts["sensor"]["sensor"], self.facts["sensor"]["trip_points"]
        yield self.row(SENSOR, "DESCRIPTION_GET past the end", "INVALID_PARAMETERS", 0x3, 0xFFFF)
        yield self.row(SENSOR, "TRIP_POINT_NOTIFY bad sensor", "NOT_FOUND", 0x4, BAD, 0)
        yield self.row(SENSOR, "TRIP_POINT_CONFIG bad sensor", "NOT_FOUND", 0x5, BAD, 0, 0, 0)
        yield self.row(SENSOR, "READING_GET bad sensor", "NOT_FOUND", 0x6, BAD, 0)
        yield self.row(SENSOR, "TRIP_POINT_NOTIFY bad control", "INVALID_PARAMETERS", 0x4, one, 2)
        yield self.row(
            SENSOR, "TRIP_POINT_CONFIG bad id", "INVALID_PARAMETERS", 0x5, one, points << 4 | 1, 0, 0
        )
        yield self.row(SENSOR, "TRIP_POINT_CONFIG bad control", "INVALID_PARAMETERS", 0x5, one, 0x4, 0, 0)
        yield self.row(SENSOR, "READING_GET bad flags", "INVALID_PARAMETERS", 0x6, one, 2)
        yield self.row(SENSOR, "READING_GET async, not offered", "NOT_SUPPORTED", 0x6, one, 1)

    def reset(self) -> Iterator[Row]:
        domain = self.facts["reset"]["domain"]
        yield self.row(RESET, "ATTRIBUTES bad domain", "NOT_FOUND", 0x3, BAD)
        yield self.row(RESET, "RESET bad domain", "NOT_FOUND", 0x4, BAD, 1, 0)
        yield self.row(RESET, "NOTIFY bad domain", "NOT_FOUND", 0x5, BAD, 0)
        yield self.row(RESET, "RESET bad flags", "INVALID_PARAMETERS", 0x4, domain, 8, 0)
        yield self.row(RESET, "RESET async, not offered", "NOT_SUPPORTED", 0x4, domain, 5, 0)
        yield self.row(RESET, "RESET bad reset_state", "INVALID_PARAMETERS", 0x4, domain, 1, 1)
        yield self.row(RESET, "NOTIFY bad enable word", "INVALID_PARAMETERS", 0x5, domain, 2)


def text(protocol: str, what: str, expected: str, got: str) -> str:
    """A row for people; what was got is told where it differs."""
    same = expected == got
    return (
        f"{'ok  ' if same else 'DIFF'} {protocol:7}{what:45}{expected:19}{'' if same else got}".rstrip()
        + "\n"
    )


def main(path: str, facts: str, *options: str) -> int:
    with open(facts, encoding="utf-8") as file:
        suite = Suite(Channel(path), json.load(file), "--newest" in options)
    rows = [(NAMES[protocol], *rest) for protocol, *rest in suite.every()]
    sys.stdout.write(json.dumps(rows) if "--json" in options else "".join(text(*row) for row in rows))
    return int(any(expected != got for _, _, expected, got in rows))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
