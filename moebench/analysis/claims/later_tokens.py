"""The same predicate on scores that had later tokens in view, told beside a verdict.

A claim about who is better is tried on causal scores. What whole texts in view would have said of
it decides nothing, and is told where it is other: where a router of the claim looks at them.
"""

import ast
import copy

# Of each causal score, the one with whole texts in view.
IN_VIEW = {"val_nll_causal_nats": "val_nll_nats", "val_ppl_causal": "val_ppl"}


class _InView(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(IN_VIEW.get(node.id, node.id), node.ctx)


def in_view(predicate: ast.expr) -> ast.expr:
    """The predicate with every causal score replaced; the one that is given stays as it is."""
    changed: ast.expr = _InView().visit(copy.deepcopy(predicate))
    return changed
