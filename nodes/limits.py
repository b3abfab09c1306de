"""Every bound in one place. "Full" is an outcome with its own answer and count, never a silent drop."""

STORY_ENTRIES = 512  # a node's bounded trace
CHANNEL_WAITERS = 64  # traps and hypercalls of one domain waiting for its channel
HYPERCALLS = 64  # hypercalls in progress or waiting for Xen's management channel
DOMAINS = 255  # as many as there are usable agent ids
DOMAIN_FRAMES = 1 << 18  # machine frames that one domain may have or be allowed: 1 GiB of device memory
CONSOLE_CALLS = 16  # console requests waiting in one guest
AGENT_ID_MAX = 254  # u8 in the domain config, 255 is the invalid sentinel
CALL_TIMEOUT_NS = 2_000_000_000  # a guest's patience; Linux uses 30 ms, a loaded CI machine needs more
DELAYED_TIMEOUT_NS = 5_000_000_000  # ... with a delayed response; Linux uses 2 s; below what a console waits
DELAYED_CALLS = 32  # calls of one guest that wait for their delayed responses
INBOX_MESSAGES = 64  # unasked messages of one guest that nobody has taken yet
TAKE_BYTES = 12_288  # of them in one console answer
AREA_BYTES = 128  # the usual SMT area; 100 payload bytes
RESOURCES = 65_535  # of one kind (clocks, power domains, sensors...) on one platform: a 16-bit count in SCMI
AGENTS = 255  # of one platform: an 8-bit count in SCMI
RATES = 65_535  # of one clock: what remains of the list is a 16-bit count
LEVELS = 65_535  # of one voltage or performance domain: what remains of the list is a 16-bit count
CLOCK_ASYNC = 8  # asynchronous changes of rate that one agent may have under way: an 8-bit count in SCMI
PARENTS = 255  # of one clock: what remains of the list is an 8-bit count
P2A_QUEUE = 32  # notifications that wait for one agent's page
DELAYED_PENDING = 64  # asynchronous commands one agent may have under way
TREE_DEPTH = 16  # parents above one power domain or powercap domain
CLIENT_TRIES = 3  # of one call of the typed client
LIST_ITEMS = 65_535  # of one list that a client reads: indices are 16-bit counts
LIST_PAGES = 65_536  # ... of one entry each
DISCOVERED = 256  # resources of one protocol that a guest looks at when it starts
