"""Imported once by the fork server of the tests: every job run after that starts in milliseconds."""

import align
import evaluate
import finetune
import generate
import reward_model
import usefulness

__all__ = ["align", "evaluate", "finetune", "generate", "reward_model", "usefulness"]
