"""Web API methods for modals and the Home tab. Arguments and state in, response or SlackError out."""

import time
from collections.abc import Iterator
from typing import Any

from lab.slack.state import TRIGGER_TTL, SlackError, SlackState, Trigger
from lab.slack.validate_message import find_problems
from lab.slack.validate_text import ID, check_choices, check_plain_text

Answer = dict[str, Any]
View = dict[str, Any]
MAX_VIEW_TITLE = 24  # characters, also of a modal's buttons
MAX_PRIVATE_METADATA = 3000  # characters
MAX_MODALS = 3  # modals of one stack
MAX_SUGGESTIONS = 100


def open_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Open a modal in a new stack, which closes the user's other modals."""
    trigger = _use_trigger(arguments, state)
    answer = _store_view(state, state.new_id("V"), trigger.user, arguments.get("view"), "modal")
    for view in _modals(state, trigger.user)[:-1]:
        del state.views[view["id"]]
    return answer


def push_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Open a modal on top of the one whose element was used."""
    trigger = _use_trigger(arguments, state)
    parent = state.views.get(trigger.view_id)
    if parent is None or parent["type"] != "modal":
        raise SlackError("not_found")
    return _push(state, parent, arguments.get("view"))


def update_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Replace a view. With `hash`, only if it is still the one that the app saw."""
    view = _find_view(arguments, state)
    if arguments.get("hash") and arguments["hash"] != view["hash"]:
        raise SlackError("hash_conflict")
    return _store_view(state, view["id"], view["user"], arguments.get("view"), view["type"], view["previous_view_id"])


def publish_view(arguments: dict[str, Any], state: SlackState) -> Answer:
    """Publish a user's Home tab."""
    user = arguments.get("user_id", "")
    if user not in state.users:
        raise SlackError("user_not_found")
    if not state.manifest.home_tab:
        raise SlackError("not_enabled")
    view = state.views.get(f"H{user}")
    if arguments.get("hash") and view and arguments["hash"] != view["hash"]:
        raise SlackError("hash_conflict")
    return _store_view(state, f"H{user}", user, arguments.get("view"), "home")


def handle_submission(view_id: str, answer: dict[str, Any], state: SlackState) -> None:
    """Apply the app's response to a submission: the modal shows errors, changes, or closes.

    Raises SlackError where the user would see that the app has a problem.
    """
    view = state.views.get(view_id)
    if view is None:
        return  # the app has opened another modal meanwhile
    match answer.get("response_action"):
        case None:
            _close(state, view)
        case "update":
            _store_view(state, view_id, view["user"], answer.get("view"), "modal", view["previous_view_id"])
        case "push":
            _push(state, view, answer.get("view"))
        case "clear":
            close_modals(view["user"], state)
        case "errors":
            _check_errors(view, answer.get("errors"))
        case unknown:
            raise SlackError("invalid_response_action", action=unknown)


def close_view(view_id: str, state: SlackState) -> None:
    """Close a modal as its user."""
    _close(state, state.views[view_id])


def close_modals(user: str, state: SlackState) -> None:
    """Close all modals of a user."""
    for modal in _modals(state, user):
        _close(state, modal)


def check_suggestions(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options that the app suggested. Raises SlackError if Slack would not show them."""
    options = answer.get("options")
    if not isinstance(options, list) or len(options) > MAX_SUGGESTIONS:
        raise SlackError("invalid_suggestions")
    problems = list(check_choices(options, MAX_SUGGESTIONS)) if options else []
    if problems:
        raise SlackError("invalid_suggestions", problems=problems)
    return options


def inputs(view: View) -> list[dict[str, Any]]:
    """Return the input blocks of a view."""
    return [block for block in view["blocks"] if block["type"] == "input"]


def _use_trigger(arguments: dict[str, Any], state: SlackState) -> Trigger:
    """Use up a trigger_id. It is valid for three seconds and for one use."""
    trigger = state.triggers.get(arguments.get("trigger_id", ""))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.is_used:
        raise SlackError("exchanged_trigger_id")
    if time.time() - trigger.created_at > TRIGGER_TTL:
        raise SlackError("expired_trigger_id")
    trigger.is_used = True
    return trigger


def _find_view(arguments: dict[str, Any], state: SlackState) -> View:
    external = arguments.get("external_id")
    by_external_id = next(
        (view for view in state.views.values() if external and view.get("external_id") == external), None
    )
    view = by_external_id or state.views.get(arguments.get("view_id", ""))
    if view is None:
        raise SlackError("not_found")
    return view


def _push(state: SlackState, parent: View, view: Any) -> Answer:
    if len(_modals(state, parent["user"])) >= MAX_MODALS:
        raise SlackError("push_limit_reached")
    return _store_view(state, state.new_id("V"), parent["user"], view, "modal", parent["id"])


def _modals(state: SlackState, user: str) -> list[View]:
    return [view for view in state.views.values() if (view["user"], view["type"]) == (user, "modal")]


def _close(state: SlackState, view: View) -> None:
    del state.views[view["id"]]


def _check_errors(view: View, errors: Any) -> None:
    blocks = {block.get("block_id") for block in inputs(view)}
    if not isinstance(errors, dict) or not errors or not set(errors) <= blocks:
        raise SlackError("invalid_errors")
    if not all(isinstance(text, str) and text for text in errors.values()):
        raise SlackError("invalid_errors")


def _store_view(
    state: SlackState, view_id: str, user: str, view: Any, kind: str, previous: str | None = None
) -> Answer:
    problems = list(_view_problems(view, kind))
    if problems:
        messages = [f"[ERROR] {line}" for line in problems]
        raise SlackError("invalid_arguments", response_metadata={"messages": messages})
    state.views.pop(view_id, None)
    defaults = {"private_metadata": "", "callback_id": "", "external_id": ""}
    identity = {
        "id": view_id,
        "user": user,
        "hash": state.new_ts(),
        "previous_view_id": previous,
        "app_id": state.app["id"],
    }
    state.views[view_id] = {**defaults, **view, **identity}
    return {"view": state.views[view_id]}


def _view_problems(view: Any, kind: str) -> Iterator[str]:
    if not isinstance(view, dict) or view.get("type") != kind:
        yield f"no view of type {kind}"
        return
    if kind == "modal":
        for name in ("title", "submit", "close"):
            if name in view or name == "title":
                yield from (f"{name}: {problem}" for problem in check_plain_text(view.get(name), MAX_VIEW_TITLE))
    if len(str(view.get("private_metadata", ""))) > MAX_PRIVATE_METADATA or len(str(view.get("callback_id", ""))) > ID:
        yield "private_metadata or callback_id too long"
    yield from find_problems(view.get("blocks"), "modal" if kind == "modal" else "home")
    if "input" in _block_types(view) and kind == "modal" and "submit" not in view:
        yield "a modal with an input needs submit"


def _block_types(view: View) -> set[str]:
    blocks = view.get("blocks")
    return (
        {str(block.get("type")) for block in blocks if isinstance(block, dict)} if isinstance(blocks, list) else set()
    )
