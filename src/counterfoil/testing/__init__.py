"""`check_store`: the contract that any store passes.

For whoever writes a store.  It needs no test framework:

    from counterfoil.testing import check_store

    check_store(lambda name: MyStore(folder / name, clock=clock), durable=True)

or, one test a claim, with pytest:

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store_keeps_the_contract(check, tmp_path):
        check(lambda name: MyStore(tmp_path / name, clock=clock))

Source: the rules in `counterfoil.engine.store`.
"""

from __future__ import annotations

from typing import Final

from counterfoil.testing.claims import (
    a_checkpoint_frees_its_log,
    a_claim_is_kept_until_it_ends,
    a_claim_of_a_clock_that_was_ahead_is_none,
    a_failed_block_claims_nothing,
    claims_are_limited,
    months_that_are_over_are_claimed,
    no_two_claim_the_same_log,
    the_end_of_the_month_comes_back,
    the_log_furthest_behind_is_claimed_alone,
)
from counterfoil.testing.contents import (
    a_log_without_its_last_entry_holds_up_no_other,
    an_empty_store_holds_nothing,
    bytes_come_back_as_they_were,
    keys_are_found_by_prefix,
    lists_are_paged_in_order,
    logs_keep_apart,
    ranges_are_half_open_and_ascending,
    reads_of_many_equal_reads_of_one,
    the_identity_is_set_once,
    the_largest_sizes_fit,
    the_unit_of_a_tenant_can_be_set_again,
    tiles_are_replaced,
    what_is_written_is_there_after_reopening,
)
from counterfoil.testing.finding import (
    a_log_that_is_not_there_has_no_places,
    checkpoints_are_found_by_their_root,
    customers_are_listed_by_name,
    customers_are_searched,
    the_newest_checkpoint_up_to_a_size_is_found,
    times_and_counts_lie_where_the_store_says,
)
from counterfoil.testing.parts import MakeStore
from counterfoil.testing.service import (
    a_failed_block_serves_nobody,
    announcements_wait_until_they_are_removed,
    api_keys_come_back,
    deliveries_are_listed,
    deliveries_are_settled,
    deliveries_are_taken_when_they_are_due,
    no_two_take_the_same_announcement,
    old_deliveries_are_pruned,
    webhooks_come_back,
    what_is_pending_goes_with_its_webhook,
)
from counterfoil.testing.settling import (
    a_failed_block_settles_nothing,
    a_settled_log_goes_on,
    ranges_of_one_log_are_read_together,
    settling_changes_nothing_that_is_read,
    settling_keeps_logs_apart,
)
from counterfoil.testing.transactions import (
    a_failed_block_leaves_no_trace,
    a_lock_keeps_other_writers_out,
    a_refusal_that_was_caught_undoes_the_block,
    a_taken_index_is_refused,
    a_view_does_not_change,
    checkpoints_follow_one_another,
    the_clock_is_read,
    writers_lose_nothing,
)

__all__ = ["STORE_CHECKS", "MakeStore", "check_store", "what_is_written_is_there_after_reopening"]

STORE_CHECKS: Final = (
    an_empty_store_holds_nothing,
    the_identity_is_set_once,
    the_unit_of_a_tenant_can_be_set_again,
    bytes_come_back_as_they_were,
    a_failed_block_leaves_no_trace,
    a_taken_index_is_refused,
    a_log_without_its_last_entry_holds_up_no_other,
    reads_of_many_equal_reads_of_one,
    ranges_are_half_open_and_ascending,
    lists_are_paged_in_order,
    logs_keep_apart,
    keys_are_found_by_prefix,
    the_largest_sizes_fit,
    checkpoints_follow_one_another,
    a_refusal_that_was_caught_undoes_the_block,
    tiles_are_replaced,
    the_clock_is_read,
    a_lock_keeps_other_writers_out,
    writers_lose_nothing,
    a_view_does_not_change,
    settling_changes_nothing_that_is_read,
    a_settled_log_goes_on,
    ranges_of_one_log_are_read_together,
    a_failed_block_settles_nothing,
    settling_keeps_logs_apart,
    the_end_of_the_month_comes_back,
    a_claim_is_kept_until_it_ends,
    a_claim_of_a_clock_that_was_ahead_is_none,
    a_checkpoint_frees_its_log,
    claims_are_limited,
    months_that_are_over_are_claimed,
    a_failed_block_claims_nothing,
    no_two_claim_the_same_log,
    the_log_furthest_behind_is_claimed_alone,
    times_and_counts_lie_where_the_store_says,
    a_log_that_is_not_there_has_no_places,
    the_newest_checkpoint_up_to_a_size_is_found,
    checkpoints_are_found_by_their_root,
    customers_are_listed_by_name,
    customers_are_searched,
    api_keys_come_back,
    webhooks_come_back,
    announcements_wait_until_they_are_removed,
    no_two_take_the_same_announcement,
    deliveries_are_listed,
    deliveries_are_taken_when_they_are_due,
    deliveries_are_settled,
    what_is_pending_goes_with_its_webhook,
    old_deliveries_are_pruned,
    a_failed_block_serves_nobody,
)


def check_store(make_store: MakeStore, *, durable: bool) -> None:
    """Check every claim of the contract.

    Args:
        make_store: opens the store of a name; a name that is new gives an empty store.
        durable: a store that is closed and opened again under its name holds what was written.

    Raises:
        AssertionError: a sentence that says which claim does not hold.
    """
    for check in STORE_CHECKS:
        check(make_store)
    if durable:
        what_is_written_is_there_after_reopening(make_store)
