import pytest

from moebench.perft.accounting import activated_share, block_cost, projection_cost, router_cost

D, LAYERS, BASE_ACTIVE = 2048, 16, 1.28e9  # OLMoE-1B-7B


@pytest.mark.parametrize(
    ("cost", "activated", "share"),
    [
        (block_cost(D, 16, 1, 1), 1.05e6, 0.00082),
        (block_cost(D, 16, 2, 1) + router_cost(D, 2), 1.11e6, 0.00087),
        (block_cost(D, 16, 4, 2) + router_cost(D, 4), 2.23e6, 0.00174),
        (block_cost(D, 16, 64, 8), 8.39e6, 0.0066),
        (projection_cost(D, D, 4) * 2, 0.52e6, 0.00041),
    ],
    ids=["single", "routed 1 of 2", "routed 2 of 4", "embedded", "attention_lora"],
)
def test_activated_parameters_at_the_published_size_are_those_known(cost, activated, share):
    total = (cost * LAYERS).activated
    assert total == pytest.approx(activated, rel=0.009)
    assert activated_share(total, BASE_ACTIVE) == pytest.approx(share, rel=0.01)


def test_a_token_meets_a_part_of_what_is_trained():
    assert block_cost(8, 3, 4, 2).trainable == 4 * 2 * 8 * 3
    assert block_cost(8, 3, 4, 2).activated == 2 * 2 * 8 * 3
    assert router_cost(8, 4).activated == router_cost(8, 4).trainable == 32
