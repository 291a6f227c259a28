"""How a job ends."""

from job import FAILURE_TEXT_MAX_CHARS, JobFailure, JobStopped, emit, job, write_json


def test_a_failure_is_one_text_of_at_most_what_sagemaker_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))

    @job
    def fails(argv=None):
        raise JobFailure("too-much", "less", "x" * 5000)

    assert fails([]) == 1
    text = (tmp_path / "failure").read_text()
    assert text.startswith("too-much: expected less, saw xxx")
    assert len(text) == FAILURE_TEXT_MAX_CHARS


def test_an_unforeseen_error_names_its_kind(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))

    @job
    def fails(argv=None):
        return {}["absent"]

    assert fails([]) == 1
    assert (tmp_path / "failure").read_text() == "KeyError: 'absent'"


def test_a_stopped_job_is_not_a_failed_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))

    @job
    def stops(argv=None):
        raise JobStopped("saved at step 3 of 9")

    assert stops([]) == 143
    assert not (tmp_path / "failure").exists()


def test_a_number_that_json_does_not_know_is_left_out(capsys):
    emit(step=1, loss=float("nan"), reward=2.5)
    assert capsys.readouterr().out == '{"step": 1, "reward": 2.5}\n'


def test_json_is_written_whole_or_not_at_all(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
