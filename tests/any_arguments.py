"""What the tests over any arguments share: odd values, and what may come of a call."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.integers(), FLOATS, st.text(max_size=8)
)
IDS = st.lists(st.one_of(st.integers(-2, 12), st.integers()), max_size=12)
LONG = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def result_or_error(call, *errors):
    """What the call returns; None for an error that it may raise, which is one line."""
    try:
        return call()
    except errors as error:
        assert "\n" not in str(error) and str(error)
        return None
