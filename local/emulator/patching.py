"""How a patch changes MiniStack: every change names the text or shape that it relies on, so that another
version fails at start instead of running half patched."""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

_sources: dict[tuple[str, str], str] = {}
_wrappings: list[Callable[[], None]] = []


def rewrite(module: ModuleType, function: str, *replacements: tuple[str, str]) -> None:
    """Replaces text in a function's source, each old text found exactly once, and compiles it in place.

    Everything that looks the function up in its module at call time gets the new one.
    """
    key = (module.__name__, function)
    source = _sources.get(key) or inspect.getsource(getattr(module, function))
    for old, new in replacements:
        expect(source.count(old) == 1, f"{module.__name__}.{function} no longer has: {old}")
        source = source.replace(old, new)
    _sources[key] = source
    exec(compile(source, f"<patched {module.__name__}.{function}>", "exec"), module.__dict__)


def wrap(owner: Any, function: str, wrapper: Callable[..., Any]) -> None:
    """Replaces `owner.function` by `wrapper(original, *args, **kwargs)`, once every patch is applied: a
    function may be rewritten by one patch and wrapped by others, in any order."""
    expect(callable(getattr(owner, function, None)), f"{owner.__name__}.{function} is gone")

    def wrap_now() -> None:
        original = getattr(owner, function)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return wrapper(original, *args, **kwargs)

        setattr(owner, function, wrapped)

    _wrappings.append(wrap_now)


def finish() -> None:
    """To be called after the last patch."""
    while _wrappings:
        _wrappings.pop(0)()


def after_provisioning(resource_type: str, apply: Callable[[str, dict[str, Any]], None]) -> None:
    """Runs `apply(physical id, properties)` after CloudFormation has created or updated such a resource."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    create, update = handlers["create"], handlers["update"]
    expect_parameters(create, "logical_id", "props", "stack_name")
    expect_parameters(update, "physical_id", "old_props", "new_props", "stack_name")

    def create_then_apply(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        result = create(logical_id, props, stack_name)
        apply(result[0], props)
        return result

    def update_then_apply(*args: Any) -> Any:
        result = update(*args)
        physical_id, _, new_props = args[:3]
        apply(result[0] if result else physical_id, new_props)
        return result

    handlers.update(create=create_then_apply, update=update_then_apply)


def expect(holds: bool, otherwise: str) -> None:
    """A shape that a patch relies on; unlike `assert` it also stands under `python -O`."""
    if not holds:
        raise RuntimeError(f"MiniStack is not what this patch was written for: {otherwise}")


def expect_parameters(function: Callable[..., Any], *names: str) -> None:
    found = list(inspect.signature(function).parameters)
    expect(found[: len(names)] == list(names), f"{function.__name__}{found} instead of {names}")


def is_true(value: Any) -> bool:
    """CloudFormation booleans arrive as JSON booleans or as strings."""
    return str(value).lower() == "true"
