"""Lists, mappings and models as nested XML, and back by the schema of their type."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dspex.core.adapters.xml_text import (
    ENTRY,
    Element,
    elements,
    escaped,
    is_tag_name,
    nesting_of,
    quoted,
    unescaped,
)

Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""

ITEM: Final = "item"
"""The tag of a list's items."""


def value_to_xml(tag: str, value: Any, key: str | None = None) -> str:
    """Write a JSON value as an element.

    Args:
        tag: The element's name.
        value: A JSON value.
        key: The key of a mapping, where it cannot be the tag itself.

    Example:
        >>> value_to_xml("who", {"name": "Ada", "tags": ["a", "b"]})
        '<who><name>Ada</name><tags><item>a</item><item>b</item></tags></who>'
    """
    start = tag if key is None else f"{tag} key={quoted(key)}"
    match value:
        case None:
            return f"<{start} />"
        case list():
            inside = "".join(value_to_xml(ITEM, item) for item in value)
        case dict():
            inside = "".join(
                value_to_xml(name, item)
                if is_tag_name(name)
                else value_to_xml(ENTRY, item, name)
                for name, item in value.items()
            )
        case _:
            inside = escaped(str(value))
    return f"<{start}>{inside}</{tag}>"


MAX_NESTING: Final = 30
"""Deeper nesting than this is not read: each level is looked through again."""
_NESTED: Final = frozenset({"array", "object"})
_UNIONS: Final = frozenset({"anyOf", "oneOf"})


class XmlShape:
    """The shape of a type's values, as its JSON schema tells it.

    Args:
        schema: The schema of the type; an empty one for any value.

    Example:
        >>> shape = XmlShape({"type": "array", "items": {"type": "string"}})
        >>> shape.skeleton("tags")
        '<tags><item>...</item></tags>'
        >>> shape.read([Element(name="tags", inside="<item>a</item><item>b</item>")])
        ['a', 'b']
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._definitions: Mapping[str, Schema] = schema.get("$defs", {})

    @property
    def is_plain(self) -> bool:
        """Whether no elements stand inside a value."""
        return self._is_plain(self._schema)

    def skeleton(self, tag: str) -> str:
        """Return an element with a place for each value."""
        return self._skeleton(tag, self._schema, frozenset())

    def read(self, found: Sequence[Element]) -> Any:
        """Return the value of an element; several are the items of a list.

        Texts are left as they are; what a type makes of them is for its checker.

        Raises:
            ValueError: When it is nested too deeply.
        """
        if max(nesting_of(one.inside or "") for one in found) > MAX_NESTING:
            raise ValueError(f"is nested more than {MAX_NESTING} deep")
        return self._value(found, self._schema)

    def _skeleton(self, tag: str, schema: Schema, seen: frozenset[str]) -> str:
        while (reference := schema.get("$ref")) or schema.keys() & _UNIONS:
            if reference in seen:
                schema = {}  # a type that holds itself is shown once
            elif reference:
                seen |= {reference}
                schema = self._resolved(schema)
            else:
                members = schema.get("anyOf") or schema["oneOf"]
                schema = next((m for m in members if m.get("type") != "null"), {})
        inside = "..."
        if schema.get("type") == "array":
            inside = self._skeleton(ITEM, schema.get("items", {}), seen)
        elif "properties" in schema:
            inside = "".join(
                self._skeleton(name, part, seen)
                for name, part in schema["properties"].items()
            )
        return f"<{tag}>{inside}</{tag}>"

    def _value(self, found: Sequence[Element], schema: Schema) -> Any:
        if self._is_none(found, schema):
            return None
        inside = found[0].inside or ""
        option = self._fitting(inside, self._options(schema))
        match option.get("type"):
            case "array":
                return self._items(found, option)
            case "object":
                return self._members(inside, option)
            case None if not option:
                return self._anything(inside)
            case _:
                return unescaped(inside)

    def _items(self, found: Sequence[Element], schema: Schema) -> Any:
        kinds = list(schema.get("prefixItems", ()))
        of_rest = schema.get("items", {})
        if len(found) == 1:
            text = found[0].inside or ""
            plain = not kinds and self._is_plain(of_rest)
            items = elements(text, lambda name: name == ITEM, lambda _: plain)
            if not items:
                value = _json_in(text, [])
                if isinstance(value, list) or not self._is_single(text, of_rest):
                    return value
            found = items or found
        kinds += [of_rest] * max(0, len(found) - len(kinds))
        return [
            self._value([item], kind) for item, kind in zip(found, kinds, strict=False)
        ]

    def _is_single(self, text: str, item: Schema) -> bool:
        """Say whether an element without items is itself the only one.

        Elements of another name are not, nor are several lines: they may be several
        items. Nor is a list in a list: a type that holds itself would have no end.
        """
        options = self._options(item)
        if any(option.get("type") == "array" for option in options):
            return False
        names = [each.name for each in elements(text, lambda _: True, lambda _: False)]
        if not names:
            return "\n" not in text.strip()
        known = (option.get("properties", {}).keys() for option in options)
        return len(set(names)) == len(names) and any(set(names) <= k for k in known)

    def _members(self, text: str, schema: Schema) -> Any:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", not known)
        rest: Schema = others if isinstance(others, Mapping) else {}
        found = elements(
            text,
            lambda name: bool(others) or name in known,
            lambda name: self._is_plain(known.get(name, rest)),
        )
        if not found:
            return _json_in(text, {})
        return {
            name: self._value(same, known.get(name, rest))
            for name, same in by_name(found).items()
        }

    def _anything(self, text: str) -> Any:
        found = elements(text, lambda _: True, lambda _: False)
        if not found:
            return unescaped(text)
        if {element.name for element in found} == {ITEM}:
            return [self._value([item], {}) for item in found]
        return {name: self._value(same, {}) for name, same in by_name(found).items()}

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" not in schema:
            return schema
        return self._definitions.get(schema["$ref"].rpartition("/")[2], {})

    def _members_of_union(self, schema: Schema) -> list[Schema]:
        schema = self._resolved(schema)
        members = schema.get("anyOf") or schema.get("oneOf")
        return [self._resolved(one) for one in members] if members else [schema]

    def _options(self, schema: Schema) -> list[Schema]:
        """Return the schemas any of which a value that is there may fit."""
        members = self._members_of_union(schema)
        return [one for one in members if one.get("type") != "null"] or members

    def _fitting(self, text: str, options: list[Schema]) -> Schema:
        """Return the option whose elements stand in a text, or else the first plain."""
        if len(options) == 1:
            return options[0]
        names = {each.name for each in elements(text, lambda _: True, lambda _: False)}
        for option in options:
            match option.get("type"):
                case "array" if names == {ITEM}:
                    return option
                case "object" if names and names <= set(
                    option.get("properties", names)
                ):
                    return option
        plain = (one for one in options if one.get("type") not in _NESTED)
        return next(plain, options[0])

    def _is_plain(self, schema: Schema) -> bool:
        options = self._options(schema)
        return all(one and one.get("type") not in _NESTED for one in options)

    def _is_none(self, found: Sequence[Element], schema: Schema) -> bool:
        inside = found[0].inside
        if len(found) > 1 or (inside or "").strip():
            return False
        members = self._members_of_union(schema)
        if members == [{}]:
            return inside is None
        takes_text = any(
            one.get("type") == "string" and not one.keys() & {"enum", "const", "format"}
            for one in members
        )
        takes_none = any(one.get("type") == "null" for one in members)
        return takes_none and (inside is None or not takes_text)


def by_name(found: Sequence[Element]) -> dict[str, list[Element]]:
    """Return the elements of each name, in order."""
    groups: dict[str, list[Element]] = {}
    for element in found:
        groups.setdefault(element.name, []).append(element)
    return groups


def _json_in(text: str, empty: Any) -> Any:
    """Return the JSON a text is, as some models write it, or the text."""
    plain = unescaped(text)
    if not plain:
        return empty
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        return plain
