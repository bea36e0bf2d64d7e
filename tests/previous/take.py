#!/usr/bin/env python3
"""Writes objects-VERSION.json: what the operator of a version makes of some ChatClusters.

    take.py CHATCLUSTERS.json NAMESPACE >objects-VERSION.json

CHATCLUSTERS.json has the specs by the names of the ChatClusters, and they exist in NAMESPACE, where the operator of that version has
created their children. See "Earlier versions" in ../README.md for how to get there. kubectl has to be in the PATH.

Each child is written as the operator applied it: only the fields that its field manager owns, as the API server has recorded them in
metadata.managedFields. The namespace is replaced by NAMESPACE, and the uid of the ChatCluster by UID.
"""
import json
import subprocess
import sys

MANAGER = "chatcluster-operator"
KINDS = [
    "deployments", "statefulsets", "services", "networkpolicies", "poddisruptionbudgets", "horizontalpodautoscalers",
    "secrets", "configmaps",
]


def owned(value, fields):
    """The part of a value that `fields`, in the format of fieldsV1, names."""
    if not fields or fields == {".": {}}:
        return value
    if isinstance(value, list):
        return [item for element in value if (item := owned_item(element, fields)) is not None]
    # The API server drops an empty list from the object, and still records its owner.
    return {key[2:]: owned(value.get(key[2:], []), inside) for key, inside in fields.items() if key.startswith("f:")}


def owned_item(element, fields):
    """The part of a list's element that `fields` names; None if there is no such part."""
    for key, inside in fields.items():
        if key.startswith("v:") and json.loads(key[2:]) == element:
            return element
        if key.startswith("k:"):
            keys = json.loads(key[2:])
            if all(element.get(name) == wanted for name, wanted in keys.items()):
                return {**keys, **owned(element, inside)}
    return None


def child(item):
    applied = {}
    for entry in item["metadata"]["managedFields"]:
        if entry["manager"] == MANAGER and entry["operation"] == "Apply" and "subresource" not in entry:
            applied = owned(item, entry["fieldsV1"])
    applied.setdefault("metadata", {})["name"] = item["metadata"]["name"]
    for owner in applied["metadata"].get("ownerReferences", []):
        owner["uid"] = "UID"
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], **applied}


def main():
    specs, namespace = sys.argv[1:]
    children = []
    for kind in KINDS:
        get = ["kubectl", "get", kind, "--namespace", namespace, "--selector", f"app.kubernetes.io/managed-by={MANAGER}"]
        found = subprocess.run([*get, "--show-managed-fields", "--output=json"], check=True, stdout=subprocess.PIPE).stdout
        children += [child(item) for item in json.loads(found)["items"]]
    with open(specs, encoding="utf-8") as file:
        chatclusters = json.load(file)
    text = json.dumps({"chatclusters": chatclusters, "children": children}, indent=1)
    print(text.replace(namespace, "NAMESPACE"))


main()
