"""Reset domains with everything they can do."""

from bus.scmi import reset
from nodes.firmware.platform import ResetDomain

TABLES = {
    "reset_domain": (
        ResetDomain(
            1,
            "specimen-with-a-very-long-name",
            latency_us=10,
            async_reset=True,
            reset_notify=True,
            states=(1, 2),
        ),
        ResetDomain(2, "specimen-of-others"),
    ),
}
DEVICE = {"reset_domains": (1,)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "RESET_DOMAIN_ATTRIBUTES": reset.DomainAttributes(1),
    "RESET": reset.Reset(1, reset.FLAGS.pack(explicit_assert=1), 0),
    "RESET_NOTIFY": reset.ResetNotify(1, 1),
    "RESET_DOMAIN_NAME_GET": reset.DomainNameGet(1),
}
