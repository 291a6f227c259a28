"""A Parallel state ignores its JSONata Arguments, Output and Assign, and its branches share variables and task
token. Here the fields work as in other states and each branch has a context of its own."""

from ministack.services import stepfunctions

from patching import rewrite


def apply() -> None:
    rewrite(
        stepfunctions,
        "_run_parallel_branches",
        (
            "    effective = _apply_parameters(state_def, effective, ctx)\n",
            "    is_jsonata = _state_query_language(state_def, ctx) == 'JSONata'\n"
            "    effective = (_apply_jsonata_arguments(state_def, raw_input, ctx) if is_jsonata\n"
            "                 else _apply_parameters(state_def, effective, ctx))\n",
        ),
        ("effective, execution, ctx)", "effective, execution, copy.deepcopy(ctx))"),
        (
            "    result = _apply_result_selector(state_def, results)\n",
            "    if is_jsonata:\n"
            "        output = _apply_jsonata_output(state_def, raw_input, ctx, result=results, default=results)\n"
            "        _apply_state_assign(state_def, raw_input, ctx, result=results)\n"
            "        return output, _next_or_end(state_def)\n"
            "    result = _apply_result_selector(state_def, results)\n",
        ),
    )
