"""One story of calls about services: queries, creations, updates, rollbacks, drains, and errors."""

import json
from typing import Any

from tests.support.engine_calls import Calls

BAD_IMAGE = "nosuch.invalid/nosuch:1"
HOST_PORT = {"TargetPort": 80, "PublishedPort": 8081, "Protocol": "tcp", "PublishMode": "host"}
INGRESS_PORT = {"TargetPort": 80, "PublishedPort": 8090, "Protocol": "tcp", "PublishMode": "ingress"}


def play(calls: Calls) -> None:
    """Play the whole story."""
    for chapter in (_empty, _create, _refuse, _inspect, _scale, _restart, _break, _place, _drain, _remove):
        chapter(calls)


def _filtered(path: str, **filters: list[str]) -> str:
    return f"{path}?filters={json.dumps(filters)}"


def _empty(calls: Calls) -> None:
    calls.call("no services", "GET", "/services")
    calls.call("no services, counted", "GET", "/services?status=true")
    calls.call("no tasks", "GET", "/tasks")
    calls.call("an unknown service", "GET", "/services/nosuch")
    calls.call("an unknown task", "GET", "/tasks/nosuch")
    calls.call("tasks of an unknown service", "GET", _filtered("/tasks", service=["nosuch"]))
    calls.call("services by an unknown name", "GET", _filtered("/services", name=["nosuch"]))
    calls.call("services of a worker", "GET", "/services", on_worker=True)
    calls.call("tasks of a worker", "GET", "/tasks", on_worker=True)
    calls.call("an image", "GET", f"/images/{calls.image}/json")
    calls.call("an unknown image", "GET", "/images/nosuch:1/json")
    calls.call("an unknown image without a tag", "GET", "/images/nosuch/json")


def _create(calls: Calls) -> None:
    calls.call("create", "POST", "/services/create", calls.spec("web"))
    calls.wait_for_states("web", "running", "running")
    calls.call("create a global one", "POST", "/services/create", calls.spec("agent", Mode={"Global": {}}))
    calls.wait_for_states("agent", "running", "running")
    calls.call("create one without tasks", "POST", "/services/create", calls.spec("idle", replicas=0))
    ports = {"EndpointSpec": {"Ports": [HOST_PORT]}}
    calls.call("create one with a port of the host", "POST", "/services/create", calls.spec("ports", **ports))
    calls.wait_for_states("ports", "running", "running")
    ports = {"EndpointSpec": {"Ports": [INGRESS_PORT]}}
    calls.call("create one with a port", "POST", "/services/create", calls.spec("open", 0, **ports))
    calls.note("tasks of the global service", len(calls.tasks("agent")))


def _refuse(calls: Calls) -> None:
    def create(name: str, spec: Any, on_worker: bool = False) -> None:
        calls.call(name, "POST", "/services/create", spec, on_worker)

    create("create it again", calls.spec("web"))
    create("create without a name", calls.spec(""))
    create("create with a space in the name", calls.spec("a b"))
    create("create with a dot in the name", calls.spec("a.b"))
    create("create with a long name", calls.spec("a" * 64))
    create("create without an image", calls.spec("x", task={"ContainerSpec": {}}))
    create("create with an invalid constraint", calls.spec("x", task={"Placement": {"Constraints": ["node.role=a"]}}))
    unknown = {"Placement": {"Constraints": ["zone==a"]}}
    create("create with an unknown key of a constraint", calls.spec("unknown", 0, task=unknown))
    create("create with a port that is taken", calls.spec("x", EndpointSpec={"Ports": [INGRESS_PORT]}))
    create("create on a worker", calls.spec("x"), on_worker=True)
    index = calls.service("web")["Version"]["Index"]
    spec = calls.service("web")["Spec"]
    calls.call("update an old version", "POST", "/services/web/update?version=1", spec)
    calls.call("update without a version", "POST", "/services/web/update", spec)
    calls.call("update with an invalid version", "POST", "/services/web/update?version=x", spec)
    calls.call("update an unknown service", "POST", f"/services/nosuch/update?version={index}", spec)
    calls.call("rename", "POST", f"/services/web/update?version={index}", {**spec, "Name": "other"})
    calls.call("change the mode", "POST", f"/services/web/update?version={index}", {**spec, "Mode": {"Global": {}}})
    calls.call("update on a worker", "POST", f"/services/web/update?version={index}", spec, on_worker=True)
    path = f"/services/web/update?version={index}&rollback=previous"
    calls.call("roll back without a previous one", "POST", path, spec)
    calls.call("remove an unknown service", "DELETE", "/services/nosuch")
    calls.call("remove on a worker", "DELETE", "/services/web", on_worker=True)


def _inspect(calls: Calls) -> None:
    document = calls.call("inspect by name", "GET", "/services/web")
    calls.call("inspect by ID", "GET", f"/services/{document['ID']}")
    calls.call("inspect by a prefix of the ID", "GET", f"/services/{document['ID'][:10]}")
    calls.call("list", "GET", "/services")
    calls.call("list by name", "GET", _filtered("/services", name=["we"]))
    counted = calls.call("list by name, counted", "GET", _filtered("/services", name=["web"]) + "&status=true")
    calls.note("counts", counted[0]["ServiceStatus"])
    tasks = calls.call("tasks of the service", "GET", _filtered("/tasks", service=["web"]))
    calls.call("tasks by the ID of the service", "GET", _filtered("/tasks", service=[document["ID"]]))
    calls.call("tasks that are wanted", "GET", _filtered("/tasks", **{"desired-state": ["running"]}))
    calls.call("tasks of a node", "GET", _filtered("/tasks", node=[tasks[0]["NodeID"]]))
    calls.call("a task", "GET", f"/tasks/{tasks[0]['ID']}")
    calls.note("slots", sorted(task["Slot"] for task in tasks))
    calls.note("the template of a task", tasks[0]["Spec"]["ContainerSpec"]["Image"])
    calls.note("an update that was none", document.get("UpdateStatus"))


def _scale(calls: Calls) -> None:
    calls.update("scale up", "web", lambda spec: spec.update(Mode={"Replicated": {"Replicas": 3}}))
    calls.wait_for_states("web", "running", "running", "running")
    document = calls.call("inspect after scaling", "GET", "/services/web")
    calls.note("previous number", document["PreviousSpec"]["Mode"])
    calls.note("scaling is no update", document.get("UpdateStatus", {}).get("State"))
    calls.update("scale down", "web", lambda spec: spec.update(Mode={"Replicated": {"Replicas": 1}}))
    calls.wait_for_states("web", "running")
    document = calls.service("web")
    path = f"/services/web/update?version={document['Version']['Index']}&rollback=previous"
    calls.call("roll back a scaling", "POST", path, document["Spec"])
    calls.wait_for_states("web", "running", "running", "running")
    calls.note("the other way round", calls.service("web")["PreviousSpec"]["Mode"])


def _restart(calls: Calls) -> None:
    calls.update("restart", "web", lambda spec: spec["TaskTemplate"].update(ForceUpdate=1))
    calls.wait(lambda: _update_state(calls, "web") == "completed")
    calls.call("inspect after a restart", "GET", "/services/web")
    calls.note("message of the update", calls.service("web")["UpdateStatus"]["Message"])
    tasks = [task for task in calls.tasks("web") if task["DesiredState"] == "running"]
    calls.note("tasks have the counter", sorted(task["Spec"].get("ForceUpdate", 0) for task in tasks))


def _break(calls: Calls) -> None:
    def with_bad_image(spec: Any) -> None:
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = BAD_IMAGE

    calls.update("break by an image", "web", with_bad_image)
    calls.wait(lambda: _update_state(calls, "web") == "paused")
    calls.call("inspect the broken one", "GET", "/services/web")
    failed = [task for task in calls.tasks("web") if task["Status"]["State"] == "rejected"]
    calls.note("error of the task", failed[0]["Status"]["Err"].startswith(f"No such image: {BAD_IMAGE}"))
    document = calls.service("web")
    path = f"/services/web/update?version={document['Version']['Index']}&rollback=previous"
    calls.call("roll back", "POST", path, document["Spec"])
    calls.wait(lambda: _update_state(calls, "web") == "rollback_completed")
    document = calls.call("inspect after the rollback", "GET", "/services/web")
    calls.note("image after the rollback", document["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])
    calls.note("image that was rolled back", document["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Image"])
    calls.note("message of the rollback", document["UpdateStatus"]["Message"])


def _place(calls: Calls) -> None:
    def wait_for_error(name: str) -> str:
        calls.wait(lambda: any(task["Status"].get("Err") for task in calls.tasks(name)))
        return next(task["Status"]["Err"] for task in calls.tasks(name) if task["Status"].get("Err"))

    for name, task in {
        "nowhere": {"Placement": {"Constraints": ["node.labels.zone==nowhere"]}},
        "huge": {"Resources": {"Reservations": {"MemoryBytes": 2**50}}},
        "most": {"Placement": {"MaxReplicas": 1}},
        "managers": {"Placement": {"Constraints": ["node.role==manager"]}},
    }.items():
        calls.call(
            f"create {name}", "POST", "/services/create", calls.spec(name, 3 if name == "most" else 2, task=task)
        )
    calls.note("error without a node", wait_for_error("nowhere"))
    calls.note("error without memory", wait_for_error("huge"))
    calls.note("error above the maximum", wait_for_error("most"))
    calls.wait_for_states("managers", "running", "running")
    calls.note("nodes of the managers", len({task["NodeID"] for task in calls.tasks("managers")}))
    ports = calls.spec("clash", 2, EndpointSpec={"Ports": [HOST_PORT]})
    calls.call("create one whose port is taken on the hosts", "POST", "/services/create", ports)
    calls.note("error of a taken port", wait_for_error("clash"))


def _drain(calls: Calls) -> None:
    active = [node for node in calls.send("GET", "/nodes")[1] if node["Spec"]["Availability"] == "active"]
    nodes = {node["Spec"]["Role"]: node for node in active}
    for role, node in nodes.items():
        calls.call(f"a {role}", "GET", f"/nodes/{node['ID']}")
    worker = nodes["worker"]
    path = f"/nodes/{worker['ID']}/update?version="
    calls.call("drain an old version", "POST", f"{path}1", {**worker["Spec"], "Availability": "drain"})
    index = calls.send("GET", f"/nodes/{worker['ID']}")[1]["Version"]["Index"]
    calls.call("drain", "POST", f"{path}{index}", {**worker["Spec"], "Availability": "drain"})
    calls.wait(lambda: worker["ID"] not in _nodes_of(calls, "web"))
    calls.wait_for_states("web", "running", "running", "running")
    calls.wait(lambda: worker["ID"] not in _nodes_of(calls, "agent"))
    calls.note("tasks of the global service on a drained node", len(_nodes_of(calls, "agent")))
    index = calls.send("GET", f"/nodes/{worker['ID']}")[1]["Version"]["Index"]
    calls.call("activate", "POST", f"{path}{index}", {**worker["Spec"], "Availability": "active"})
    calls.wait_for_states("agent", "running", "running")
    calls.note("other tasks stay", len(_nodes_of(calls, "web")))
    calls.call("an unknown node", "GET", "/nodes/nosuch")


def _remove(calls: Calls) -> None:
    for name in ("web", "agent", "idle", "ports", "open", "nowhere", "huge", "most", "managers", "clash"):
        calls.call(f"remove {name}", "DELETE", f"/services/{name}")
    calls.call("remove it again", "DELETE", "/services/web")
    for service in calls.send("GET", "/services")[1]:  # one got a name of its own
        calls.send("DELETE", f"/services/{service['ID']}")
    calls.wait(lambda: not calls.send("GET", "/tasks")[1])


def _nodes_of(calls: Calls, name: str) -> set[str]:
    return {task["NodeID"] for task in calls.tasks(name) if task["Status"]["State"] == "running"}


def _update_state(calls: Calls, name: str) -> str:
    return str(calls.service(name).get("UpdateStatus", {}).get("State"))
