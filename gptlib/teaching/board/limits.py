"""How much one sender may ask for: so many at once, and then so many a second."""


class Allowance:
    """For each sender a store of `burst`, refilled by `rate` a second.

    Of senders that have not been heard of for longest, more than `most` are forgotten.
    """

    def __init__(self, burst: float, rate: float, most: int = 10_000) -> None:
        self.burst, self.rate, self.most = burst, rate, most
        self._left: dict[object, tuple[float, float]] = {}  # sender -> (left, when)

    def wait(self, sender: object, now: float) -> float:
        """Take one: 0, or the seconds until there is one again.

        >>> allowance = Allowance(burst=2, rate=0.5)
        >>> [allowance.wait("a", now) for now in (0, 0, 0, 2)]
        [0.0, 0.0, 2.0, 0.0]
        """
        left, when = self._left.pop(sender, (self.burst, now))
        left = min(self.burst, left + (now - when) * self.rate)
        enough = left >= 1
        self._left[sender] = (left - enough, now)  # at the end: heard of last
        while len(self._left) > self.most:
            self._left.pop(next(iter(self._left)))
        return 0.0 if enough else (1 - left) / self.rate
