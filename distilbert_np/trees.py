"""Trees of arrays: nested dicts, and the dotted names of their leaves.

Parameters, gradients and traces are all such trees: `{"q_lin": {"weight": w}}` has one
leaf, named `q_lin.weight`.
"""

from typing import Any

Tree = dict[str, Any]


def flatten(tree: Tree, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a tree by dotted name, in order."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= flatten(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def unflatten(leaves: dict[str, Any]) -> Tree:
    """Return the tree whose leaves have these dotted names."""
    tree: Tree = {}
    for name, value in leaves.items():
        *path, last = name.split(".")
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
        branch[last] = value
    return tree
