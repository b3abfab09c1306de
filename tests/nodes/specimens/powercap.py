"""Power capping with everything it can do, at the newest version."""

from bus.scmi import powercap
from nodes.firmware.platform import Averaging, CapChannel, CapLevel, CapRange, PowercapDomain

TABLES = {
    "powercap_version": 0x30000,
    "powercap_domain": (
        PowercapDomain(0, "specimen-soc", CapRange(1, 1000), Averaging(1000, 1000)),
        PowercapDomain(
            1,
            "specimen-with-a-very-long-name",
            CapRange(10, 1000, 10),
            Averaging(1000, 100_000, 1000),
            parent=0,
            cai=Averaging(1000, 100_000, 1000),
            levels=(CapLevel("peak", CapRange(10, 2000, 10), Averaging(100, 1000, 100)),),
            base_uw=5_000_000,
            async_set=True,
            set_us=10,
            fastchannel=(CapChannel("CAP_GET", 0x5000_0000),),
        ),
        PowercapDomain(2, "specimen-of-others", CapRange(1, 1000), Averaging(1000, 1000)),
    ),
}
DEVICE = {"powercap_domains": (1,)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "POWERCAP_DOMAIN_ATTRIBUTES": powercap.DomainAttributes(1),
    "POWERCAP_CAP_NOTIFY": powercap.CapNotify(1, 1),
    "POWERCAP_MEASUREMENTS_NOTIFY": powercap.MeasurementsNotify(1, 1, 10, 100),
    "POWERCAP_CAP_GET": powercap.CapGet(1, 0),
    "POWERCAP_CAP_SET": powercap.CapSet(1, 0, 0, 500),
    "POWERCAP_PAI_GET": powercap.PaiGet(1),
    "POWERCAP_PAI_SET": powercap.PaiSet(1, 0, 5000),
    "POWERCAP_DOMAIN_NAME_GET": powercap.DomainNameGet(1),
    "POWERCAP_MEASUREMENTS_GET": powercap.MeasurementsGet(1),
    "POWERCAP_DESCRIBE_FASTCHANNEL": powercap.DescribeFastchannel(1, 4, 0),
    "POWERCAP_CPC_ATTRIBUTES": powercap.CpcAttributes(1, 0),
    "POWERCAP_CAI_GET": powercap.CaiGet(1, 0),
    "POWERCAP_CAI_SET": powercap.CaiSet(1, 0, 5000, 0),
}
