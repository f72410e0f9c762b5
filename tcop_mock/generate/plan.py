"""A shape compiled once, so that drawing one alarm parses no template and looks nothing up by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.errors import EntryError, did_you_mean
from tcop_mock.generate.generators import Drawer, drawer
from tcop_mock.generate.template import compile_tree, paths
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from tcop_mock.generate.entropy import Entropy
    from tcop_mock.generate.template import Render
    from tcop_mock.model.alarm import Account
    from tcop_mock.model.shape import Shape

BUILT_IN = ("account.app_id", "account.uin", "region")
"""Values that every alarm has; an entry need not declare them."""


class Plan:
    """How to draw the dimensions of one shape's alarms.

    Raises:
        EntryError: a template names a value that the entry does not declare, or a declared one is never named.
        UnknownNameError: a value names a generator or a pool that is not there.
    """

    __slots__ = ("_dimensions", "drawers", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.drawers: dict[str, Drawer] = {name: drawer(spec, shape.id) for name, spec in shape.values.items()}
        self._check_names()
        english = dict(shape.dimensions)
        self._dimensions: dict[Lang, Render] = {
            Lang.EN: compile_tree(english, shape.id),
            Lang.ZH: compile_tree(english | dict(shape.dimensions_zh), shape.id),
        }

    def draw_dimensions(self, entropy: Entropy, lang: Lang, account: Account, region: str) -> dict[str, Any]:
        """Draw each declared value once and write the wire's ``dimensions`` from them."""
        values: dict[str, Any] = {name: drawn.draw(entropy, lang) for name, drawn in self.drawers.items()}
        values["account"] = {"app_id": account.app_id, "uin": account.uin}
        values["region"] = region
        dimensions: dict[str, Any] = self._dimensions[lang](values)
        return dimensions

    def _check_names(self) -> None:
        observed = self.shape.observed
        trees = (
            self.shape.dimensions,
            self.shape.dimensions_zh,
            observed.dimensions,
            dict(enumerate(template for _, template in observed.additional_msg)),
        )
        named = [path for tree in trees for path in paths(dict(tree))]
        for path in named:
            if path not in BUILT_IN and not self._declares(path):
                near = did_you_mean(path, [*self.drawers, *BUILT_IN])
                hint = f"; did you mean {near}?" if near else ""
                raise EntryError(self.shape.id, "dimensions", f"{path!r} is no declared value{hint}")
        idle = set(self.drawers) - {path.partition(".")[0] for path in named}
        if idle:
            raise EntryError(self.shape.id, "values", f"never used: {', '.join(sorted(idle))}")

    def _declares(self, path: str) -> bool:
        name, *keys = path.split(".")
        if name not in self.drawers:
            return False
        if not keys:
            return not any(isinstance(choice, dict) for choice in self.drawers[name].choices)
        choices = self.drawers[name].choices
        return len(keys) == 1 and bool(choices) and all(isinstance(c, dict) and keys[0] in c for c in choices)
