"""Each column of the profile table, seen from both sides."""

import msgspec
import pytest

from bus import frames
from deploy.errors import UserError
from deploy.xl.sci import SciType, parse_arm_sci
from nodes.reference import PROFILE_ROWS
from nodes.xen import binding, dom0, dom0less
from nodes.xen.errno import Errno, XenError
from nodes.xen.profile import DEFAULT, PROFILES, Profile
from tests.nodes.trees import container_of, described, host, node, page_node, shmem, tree
from tests.nodes.xen import MA, Bench

MULTIAGENT = [profile for profile in PROFILES.values() if profile.driver == "multiagent"]
ON_COMMAND_LINE = "dom0=sci-agent-id=0"


def by_name(profile: Profile) -> str:
    return profile.name


def test_the_default_is_the_newest() -> None:
    assert DEFAULT.name == "v11"
    assert next(iter(PROFILES.values())) is DEFAULT


def test_every_column_makes_a_difference() -> None:
    for field in msgspec.structs.fields(Profile):
        if field.name == "metered":  # no version has metering: it is what each would have to do
            continue
        assert len({getattr(profile, field.name) for profile in PROFILES.values()}) > 1, field.name


@pytest.mark.parametrize(("profile", "flags"), [("v11", 1), ("v9", 1), ("v7", 0)])
def test_reset_flags(profile: str, flags: int) -> None:
    bench = Bench(host(dom0_agent=None), profile=PROFILES[profile])
    domain = bench.create("domu", 2)
    bench.domctl(frames.DestroyDomain(domain.domid))
    _, page = bench.smcs[0]
    assert page[28:36] == (2).to_bytes(4, "little") + flags.to_bytes(4, "little")


@pytest.mark.parametrize("profile", MULTIAGENT, ids=by_name)
def test_base_of_a_page(profile: Profile) -> None:
    root = described(dom0_agent=None)
    container_of(root).children[f"sram@{shmem(2):x}"] = page_node(12, shmem(2) + 0x800)
    made = tree(root)
    if profile.checks_shmem_base:
        with pytest.raises(XenError, match="not made of whole pages"):
            binding.secondaries(made, profile)
    else:
        assert binding.secondaries(made, profile)[1].shmem == shmem(2) + 0x800
    assert Bench(made, profile=profile).core.hypervisor.sci.initialized is not profile.checks_shmem_base


@pytest.mark.parametrize(
    ("profile", "taken", "refused"),
    [("v11", (0, 254), (255,)), ("v9", (1, 255), (0, 256)), ("v7", (1, 255), (0, 256))],
)
def test_xl_agent_ids(profile: str, taken: tuple[int, ...], refused: tuple[int, ...]) -> None:
    for agent in taken:
        text = f"type=scmi_smc_multiagent,agent_id={agent}"
        assert parse_arm_sci(text, PROFILES[profile]).agent_id == agent
    low, high = taken
    for agent in refused:
        with pytest.raises(UserError, match=rf"valid range \[{low}\.\.{high}\]"):
            parse_arm_sci(f"agent_id={agent}", PROFILES[profile])


def test_mainlines_xl_knows_one_type_and_no_agents() -> None:
    forwarder = PROFILES["forwarder"]
    found = parse_arm_sci("type=scmi_smc,agent_id=nonsense", forwarder)
    assert (found.type, found.agent_id) == (SciType.SCMI_SMC, 0)
    with pytest.raises(UserError, match="use none or scmi_smc, with"):
        parse_arm_sci("type=scmi_smc_multiagent", forwarder)


@pytest.mark.parametrize(
    ("profile", "sci_type", "agent", "expected"),
    [
        ("v11", "scmi_smc_multiagent", 254, (MA, 254)),
        ("v11", "scmi_smc_multiagent", 255, None),
        ("v9", "scmi_smc_multiagent", 0, (MA, 0)),
        ("v9", "scmi_smc_multiagent", 255, (MA, 255)),
        ("v9", "scmi_smc_multiagent", 256, None),
        ("v7", "scmi_smc_multiagent", 255, (MA, 255)),
        ("forwarder", "scmi_smc_multiagent", 2, None),
        ("forwarder", "scmi_smc", 2, (1, 0)),
        ("forwarder", "none", 2, (0, 0)),
    ],
)
def test_boot_domains_types_and_agents(
    profile: str, sci_type: str, agent: int, expected: tuple[int, int] | None
) -> None:
    made = tree(node({"xen,sci_type": sci_type, "xen,sci-agent-id": [agent]})).root
    if expected is not None:
        assert dom0less.sci_config(made, PROFILES[profile]) == expected
        return
    with pytest.raises(XenError) as raised:
        dom0less.sci_config(made, PROFILES[profile])
    assert raised.value.errno is Errno.EINVAL


@pytest.mark.parametrize(
    ("profile", "in_tree", "line", "agent"),
    [
        ("v11", 0, "", 0),
        ("v11", None, ON_COMMAND_LINE, None),
        ("v9", 0, "dom0=sci-agent-id=2", 0),
        ("v7", 0, "", None),
        ("v7", None, ON_COMMAND_LINE, 0),
        ("v7", 0, "dom0=sci-agent-id=2", 2),
        ("forwarder", 2, "dom0=sci-agent-id=2", None),
    ],
)
def test_where_dom0s_agent_comes_from(
    profile: str, in_tree: int | None, line: str, agent: int | None
) -> None:
    made = host(dom0_agent=in_tree)
    assert dom0.agent(made, PROFILES[profile], line) == (agent, None)
    if PROFILES[profile].driver == "multiagent":
        bench = Bench(made, profile=PROFILES[profile], command_line=line)
        channel = bench.domain(0).channel
        assert (channel.agent_id if channel else None) == agent


def test_dom0s_agent_on_the_hosts_own_command_line() -> None:
    root = described(dom0_agent=None)
    line = "dom0=sci-agent-id=3 console=dtuart dom0=sci-agent-id=x"
    root.children["chosen"].properties["xen,xen-bootargs"] = line
    bench = Bench(tree(root), profile=PROFILES["v7"])
    channel = bench.domain(0).channel
    assert channel is not None
    assert channel.agent_id == 3
    assert [line.text for line in bench.lines if line.level == "warning"] == [
        'parameter "dom0" has invalid value "sci-agent-id=x", rc=-22!'
    ]


@pytest.mark.parametrize("profile", MULTIAGENT, ids=by_name)
@pytest.mark.parametrize("scmi", [True, False])
def test_the_container_in_dom0s_tree(profile: Profile, scmi: bool) -> None:
    made = dom0.tree_for_dom0(host(), True, scmi, profile)
    assert ("/chosen/xen/sci" in made) is not profile.hides_container
    pages = [one.path for one in made if one.compatible("arm,scmi-shmem")]
    assert len(pages) == (5 if scmi and not profile.hides_container else 1 if scmi else 0)


def test_a_container_in_dom0s_tree_exposes_every_page() -> None:
    bench = Bench(profile=PROFILES["v7"], command_line=ON_COMMAND_LINE)
    assert sorted(bench.domain(0).stage2) == [shmem(one) // 4096 for one in range(4)]
    assert sorted(Bench().domain(0).stage2) == [shmem(0) // 4096]


def test_the_table_of_profiles_shows_every_column() -> None:
    shown = {"name", "title"} | {field for field, _ in PROFILE_ROWS}
    assert shown == {field.name for field in msgspec.structs.fields(Profile)}
