"""Identities: given out, counted for each name, and a domain's is Xen's own."""

from deploy.launching.identity import CLUSTER_BYTES, Identities, Identity, is_cluster, new_cluster


def test_each_cluster_is_its_own() -> None:
    one, other = new_cluster(), new_cluster()
    assert one != other
    assert is_cluster(one)
    assert not is_cluster(one[:-1])
    assert not is_cluster(one.upper().replace("0", "A"))
    assert not is_cluster("g" * 2 * CLUSTER_BYTES)


def test_each_start_of_a_name_is_another_incarnation() -> None:
    known = Identities()
    first, second = known.next("firmware", "firmware"), known.next("firmware", "firmware")
    assert first == Identity(known.cluster, "firmware", "firmware", 1)
    assert second.incarnation == 2
    assert known.next("xen", "xen").incarnation == 1
    assert str(second) == "firmware#2"


def test_a_domain_is_what_xen_calls_it() -> None:
    known = Identities()
    assert [known.domain("ivi", number).incarnation for number in (1, 2, 4)] == [1, 2, 4]
    assert known.newest == {"ivi": 4}
