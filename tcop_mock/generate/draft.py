"""Which policy, block and row an alarm has, and the chance that decides what it is about."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.generate.cells import ALNUM, ROWS, Chars, Piece, alphabet, block_of
from tcop_mock.generate.generators import UUID_COLUMNS, uuid_pieces
from tcop_mock.generate.plan import Plan
from tcop_mock.generate.policies import Ask, draw_policy
from tcop_mock.model.form import Form

if TYPE_CHECKING:
    from tcop_mock.generate.ages import Moment
    from tcop_mock.model.alarm import Alarm
    from tcop_mock.model.shape import Lang, Shape

LANES = 16
"""Policies that raise alarms at a time: consecutive alarms are of different ones."""
_LANE_BLOCKS = 32
"""Blocks of alarms that one policy raises before another takes its place."""
SESSION_CHARS = 24
_UUID_VERSION = 4


class Place(NamedTuple):
    """Where an alarm is drawn."""

    policy: int
    block: int
    row: int


def place_of(serial: int) -> Place:
    """Return where the alarm with a serial is drawn."""
    turn, lane = divmod(serial, LANES)
    block, row = divmod(turn, ROWS)
    epoch, block = divmod(block, _LANE_BLOCKS)
    return Place(epoch * LANES + lane, block, row)


def serial_of_own_policy(number: int) -> int:
    """Return a serial for each number, such that each one's alarm is of another policy."""
    epoch, lane = divmod(number, LANES)
    return epoch * LANES * ROWS * _LANE_BLOCKS + lane


class Draft:
    """Draws one shape's alarms of one seed."""

    def __init__(self, seed: int, lang: Lang, shape: Shape) -> None:
        self.seed, self.lang, self.shape = seed, lang, shape
        self.plan = Plan(shape, seed)
        self.session = self.plan.width
        """First of the columns of the session id; those of the current, the past value and the age follow."""
        self.current = self.session + UUID_COLUMNS
        self.history = self.current + 1
        self.age = self.current + 2
        self.policy = lru_cache(maxsize=1024)(self._policy)
        self.block = lru_cache(maxsize=64)(self._block)

    def _policy(self, number: int, ask: Ask) -> Alarm:
        return draw_policy(self.shape, self.lang, ask, self.seed, self.shape.id, "policy", number)

    def _block(self, policy: int, number: int, moment: Moment) -> bytes:
        """Draw a block: columns of the alarms, and behind them those that decide what is said at a moment."""
        key = (self.seed, self.shape.id, policy, number)
        return block_of(self.plan.width, *key) + block_of(self.age + 1 - self.plan.width, *key, *moment.key)

    @staticmethod
    def built_in(policy: Alarm) -> dict[str, Any]:
        """Return the values that an entry need not declare."""
        account, extras = policy.account, policy.extras
        return {
            "account": {"app_id": account.app_id, "uin": account.uin},
            "region": extras.region_code,
            "region_name": extras.region,
        }

    def session_pieces(self, policy: Alarm, form: Form) -> tuple[Piece, ...]:
        """Return how a session id is written: 24 characters, or a UUID where it was observed so."""
        if form is Form.OBSERVED and policy.extras.session_uuid:
            return uuid_pieces(self.session, _UUID_VERSION)
        return (Chars(self.session, SESSION_CHARS, alphabet(ALNUM)),)
