"""YAML, read strictly: a file means what is written there, and nothing is silently turned into something else."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

import yaml

DEPTH_MAX = 50


class StrictLoader(yaml.SafeLoader):
    """YAML without its surprises: dates stay text, only true and false are booleans, only plain digits are numbers (not 010,
    0x1F, 1_000, 1:30). Refused are a name without a value, a key that is not text or given twice, and what would make much of
    little: aliases, and nesting without end."""

    depth = 0
    key_types: tuple[type, ...] = (str,)
    empty_is_null = False

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One value; text takes no more room in memory than in the file."""
        where = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # not in the stubs
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not read", where)
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {DEPTH_MAX}", where)
        node = super().compose_node(parent, index)
        if not self.empty_is_null and isinstance(node, yaml.ScalarNode) and node.style is None and not node.value:
            problem = "there is no value; write one, or null, or leave the name out"
            if isinstance(parent, yaml.MappingNode) and parent.flow_style:
                # {ja: 1日2,000まで} is two names to YAML, "ja" and "000まで".
                problem += f"; if a comma stands in a text, {QUOTE}"
            raise yaml.composer.ComposerError(None, None, problem, where)
        self.depth -= 1
        return node


StrictLoader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~)$", "n~"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-.0123456789"),
):
    StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), list(_first))


_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
QUOTE: Final = "put the text in quotes"


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    for key, _ in node.value[1:] if node.flow_style else ():
        if isinstance(key, yaml.ScalarNode) and key.style is None and not _NAME.fullmatch(key.value):
            # {en: Up to 2,000 a day: no more} is two names to YAML, "en" and "000 a day".
            told = f"a comma before {key.value[:40]} ends a value; if it stands in a text, {QUOTE}, else the name after it"
            raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for key, (written, _) in zip(keys, node.value, strict=True):
        if isinstance(key, list | dict):
            raise yaml.constructor.ConstructorError(None, None, "a key should be text, is a list or mapping", node.start_mark)
        if type(key) not in loader.key_types:
            told = f'a key should be text, is {written.value}; write it in quotes: "{written.value}"'
            raise yaml.constructor.ConstructorError(None, None, told, written.start_mark)
    twice = [str(key) for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"key given twice: {', '.join(sorted(twice))}", node.start_mark)
    return dict(zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
