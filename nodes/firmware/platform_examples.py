"""An example for each table of ``platform.toml``. All of them in one file are a platform that works."""

from collections.abc import Mapping
from typing import Final

TOP: Final = 'name = "example"\nperf_power_unit = "mW"\n'
EXAMPLES: Final[Mapping[str, str]] = {
    "agent": """
[[agent]]
id = 1
name = "xen"
smc_id = 0x8200_0003
shmem = 0x47ff_1000
trusted = true

[[agent]]
id = 2
name = "guest"
smc_id = 0x8200_0004
shmem = 0x47ff_2000
p2a_shmem = 0x47fe_2000
p2a_interrupt = 111
protocols = ["power", "perf", "clock", "sensor", "reset", "voltage", "powercap", "pinctrl"]
""",
    "device": """
[[device]]
id = 1
name = "gpu"
clocks = [1]
power_domains = [2]
perf_domains = [1]
sensors = [1]
""",
    "right": """
[[right]]                         # everything about sensor 1 ...
agent = 2
allow = true
kind = "sensor"
ids = [1]

[[right]]                         # ... but its configuration
agent = 2
allow = false
commands = ["sensor.SENSOR_CONFIG_SET"]
kind = "sensor"
ids = [1]
""",
    "view": """
[[view]]                          # the guest's clock 0 is the platform's clock 1; it sees no other
agent = 2
kind = "clock"
ids = [1]
""",
    "power_domain": """
[[power_domain]]
id = 1
name = "top"

[[power_domain]]
id = 2
name = "gpu"
parent = 1
states = [{ id = 1, name = "retention" }]
async_set = true
transition_us = 400
""",
    "system_power": """
[system_power]
agents = [1]
suspend = false
""",
    "perf_domain": """
[[perf_domain]]
id = 1
name = "gpu"
clock = 1
voltage_domain = 1
power_domain = 2
opp = [
  { level = 1, frequency_khz = 200_000, voltage_uv = 700_000, power_cost = 400 },
  { level = 2, frequency_khz = 600_000, voltage_uv = 850_000, power_cost = 2_400 },
]
""",
    "clock": """
[[clock]]                         # a PLL
id = 0
name = "pll"
rates = { min = 600_000_000, max = 1_600_000_000, step = 100_000_000 }
rate = 1_200_000_000
enabled = true

[[clock]]                         # a list of rates
id = 1
name = "gpu"
rates = [200_000_000, 600_000_000]
rate = 200_000_000

[[clock]]                         # a divider: its rate follows that of its parent
id = 2
name = "bus"
parents = [0]
divide = 4
""",
    "sensor": """
[[sensor]]
id = 1
name = "gpu"
type = "celsius"
unit_exponent = -3
source = { kind = "temperature", perf_domains = [1], ambient = 40_000, per_watt = 9_000 }
noise = 50
trip_points = 2

[[sensor]]
id = 2
name = "inertia"
type = "metre_per_second_squared"
unit_exponent = -3
axes = [
  { name = "x", source = { kind = "wave", shape = "sine", period_us = 400_000, amplitude = 300 } },
  { name = "z", source = { kind = "constant", value = 9_810 } },
]
""",
    "reset_domain": """
[[reset_domain]]
id = 1
name = "gpu"
latency_us = 100
async_reset = true
reset_notify = true
""",
    "voltage_domain": """
[[voltage_domain]]
id = 1
name = "vdd-gpu"
levels = { min = 700_000, max = 1_000_000, step = 12_500 }
level = 700_000
""",
    "powercap_domain": """
[[powercap_domain]]
id = 1
name = "gpu"
cap = { min = 500, max = 6_000, step = 100 }
pai = { min = 1_000, max = 1_000_000, step = 1_000, boot = 100_000 }
perf_domains = [1]
""",
    "pin": """
[[pin]]
id = 0
name = "gp0-0"
configs = { bias_pull_up = [0, 1], drive_strength = [2, 4, 8] }

[[pin]]
id = 1
name = "gp0-1"
configs = { bias_pull_up = [0, 1], oem_192 = [] }
function = 0
""",
    "pin_group": """
[[pin_group]]
id = 0
name = "i2c0"
pins = [0, 1]
""",
    "pin_function": """
[[pin_function]]
id = 0
name = "i2c"
groups = [0]

[[pin_function]]
id = 1
name = "gpio"
pins = [0, 1]
pin_only = true
gpio = true
""",
}
