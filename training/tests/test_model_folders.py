"""Base models are plain folders named by their content."""

import hashlib
import json

from prepare_base_model import manifest_of, manifest_sha256, write_manifest
from tiny_model import write_tiny_model


def test_a_manifest_lists_every_other_file_by_path(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.txt").write_text("two")
    (tmp_path / "a.txt").write_text("one")
    sha = write_manifest(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == {
        "files": [
            {"path": "a.txt", "sizeBytes": 3, "sha256": hashlib.sha256(b"one").hexdigest()},
            {"path": "b/x.txt", "sizeBytes": 3, "sha256": hashlib.sha256(b"two").hexdigest()},
        ]
    }
    # The file itself is the canonical JSON that the digest names.
    assert sha == hashlib.sha256((tmp_path / "manifest.json").read_bytes()).hexdigest()
    assert manifest_sha256(manifest) == sha


def test_a_changed_byte_changes_the_manifest(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    before = manifest_of(tmp_path)
    (tmp_path / "a.txt").write_text("onf")
    assert manifest_of(tmp_path) != before


def test_the_same_seed_makes_the_same_tiny_model(tmp_path):
    first = write_tiny_model(tmp_path / "first", seed=9)
    assert write_tiny_model(tmp_path / "again", seed=9) == first
    assert write_tiny_model(tmp_path / "other", seed=10) != first


def test_the_tiny_tokenizer_gives_text_back(tiny):
    from chat import load_tokenizer

    tokenizer = load_tokenizer(tiny)
    text = 'Any printable "text", (even) {this}\nand that.'
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
