"""One file a patch: its docstring names the gap to AWS that `apply()` closes.

A patch is dropped by deleting its file, once its contract test in `test/local/emulator-contract.test.ts`
passes with `--without <its name>`.
"""
