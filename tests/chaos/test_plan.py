"""The plan is a function of its seed, and complete."""

import itertools

import pytest

from tests.chaos.plan import CALM_BEFORE, LANES, plan

KINDS = {kind for kinds in LANES.values() for kind in kinds}


def test_a_seed_determines_the_plan() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert plan(7, 120) != plan(8, 120)


@pytest.mark.parametrize("seed", range(20))
def test_two_minutes_have_nearly_all_faults(seed: int) -> None:
    faults = plan(seed, 120)
    missing = KINDS - {fault.kind for fault in faults}
    assert len(missing) <= 4
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(fault.at >= CALM_BEFORE and fault.at + fault.seconds <= 120 for fault in faults)


@pytest.mark.parametrize("seed", range(5))
def test_half_an_hour_repeats_all_faults_and_has_long_suspensions(seed: int) -> None:
    faults = plan(seed, 1800)
    assert min(sum(fault.kind == kind for fault in faults) for kind in KINDS) >= 6
    assert {fault.seconds for fault in faults if fault.kind == "worker_paused"} == {20, 70}


@pytest.mark.parametrize("lane", LANES)
def test_faults_of_one_lane_follow_one_another(lane: str) -> None:
    faults = [fault for fault in plan(3, 600) if fault.kind in LANES[lane]]
    assert all(after.at >= before.at + before.seconds for before, after in itertools.pairwise(faults))


def test_a_fault_is_described_in_one_line() -> None:
    assert {"worker_paused for 20 s", "net_cut"} <= {str(fault).split("s  ")[1] for fault in plan(1, 240)}
