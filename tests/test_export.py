"""``legpress export`` and ``legpress staff``."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from store_samples import ALERT, REP, SET, later, many_sets
from web_machine import make_open_machine

from device.command.main import main
from web_ui.credentials import Credentials


@pytest.fixture(name="config")
def with_history(tmp_path: Path) -> Path:
    """A configuration whose database holds five sets of one rep and an alert."""
    state_dir = tmp_path / "state"
    store = make_open_machine(state_dir).store()
    for record in many_sets(5):
        store.save_rep(record, replace(REP, set_id=record.set_id, started_utc=record.started_utc))
    store.save_rep(SET, replace(REP, worst_rounding_deg=None, faults=("knee_valgus", "fast_drop")))
    store.save_alert(ALERT)
    while store.pending():
        assert store.work_once() is None
    path = tmp_path / "legpress.toml"
    path.write_text(f'[paths]\nstate_dir = "{state_dir}"\n')
    return path


def exported(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["export", *arguments]) == 0
    return capsys.readouterr().out


def test_reps_come_as_csv_oldest_first_with_unknown_left_empty(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(capsys, "reps", "--csv", "--config", str(config)))))
    assert [row["started_utc"] for row in rows] == sorted(row["started_utc"] for row in rows)
    assert len(rows) == 6
    [row] = [row for row in rows if row["set_id"] == "set-1"]
    assert (row["worst_rounding_deg"], row["faults"], row["rom_m"]) == ("", "knee_valgus fast_drop", "0.41")


def test_sets_come_as_json_of_the_span_asked_for(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    since, until = "2026-11-23T10:01:00+00:00", "2026-11-23T11:03+01:00"
    text = exported(capsys, "sets", "--json", "--since", since, "--until", until, "--config", str(config))
    assert [(each["id"], each["member"]) for each in json.loads(text)] == [("set-001", "4711"), ("set-002", "4711")]


def test_an_empty_span_is_an_empty_list_or_a_lone_header(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = ["--since", later(SET.started_utc, 1e6), "--config", str(config)]
    assert json.loads(exported(capsys, "alerts", "--json", *late)) == []
    assert exported(capsys, "alerts", *late).splitlines() == [
        "id,set_id,rep_number,kind,side,priority,started_utc,duration_s,peak,sentence"
    ]


def test_an_export_may_go_to_a_file(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "alerts.json"
    assert exported(capsys, "alerts", "--json", "--output", str(target), "--config", str(config)) == ""
    assert json.loads(target.read_text())[0]["sentence"] == "Left knee out"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reps", "--since", "soon"], "argument --since: 'soon' is no ISO time such as 2026-11-23 or 2026-11-23T09:30"),
        (["calories"], "argument kind: invalid choice: 'calories'"),
        (["reps", "--csv", "--json"], "argument --json: not allowed with argument --csv"),
        (["reps", "--since", "2026-11-24", "--until", "2026-11-23"], "is not before --until"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    arguments: list[str], message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code: int | str | None
    try:
        code = main(["export", *arguments, "--config", str(config)])
    except SystemExit as ended:  # argparse's own exit
        code = ended.code
    captured = capsys.readouterr()
    assert code == 2
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err
    assert captured.out == ""


def test_without_a_database_the_export_says_where_it_would_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "legpress.toml"
    config.write_text(f'[paths]\nstate_dir = "{tmp_path}/none"\n')
    assert main(["export", "reps", "--config", str(config)]) == 2
    assert capsys.readouterr().err == (
        f"legpress: there is no database {tmp_path}/none/legpress.sqlite3 yet; it is made at the device's first start\n"
    )


def test_an_output_file_that_cannot_be_written_is_named(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "reps", "--output", str(tmp_path / "no" / "file.csv"), "--config", str(config)]) == 2
    assert capsys.readouterr().err == f"legpress: {tmp_path}/no/file.csv: No such file or directory\n"


def test_the_staffs_password_is_set_from_standard_input(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert main(["staff", "set-password", "--stdin", "--config", str(config)]) == 0
    assert "correct horse" not in "".join(capsys.readouterr())
    assert Credentials(tmp_path / "state").role_of("correct horse battery") == "staff"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("short\n", "legpress: the password has 5 characters; 10 to 200 are allowed\n"),
        ("", "legpress: no password on standard input\n"),
    ],
)
def test_a_password_that_is_no_good_is_refused_and_the_old_one_stays(
    typed: str, message: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    before = (tmp_path / "state" / "staff.json").read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["staff", "set-password", "--stdin", "--config", str(config)]) == 2
    assert capsys.readouterr().err == message
    assert (tmp_path / "state" / "staff.json").read_bytes() == before


def test_without_a_terminal_the_password_must_come_from_standard_input(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert main(["staff", "set-password", "--config", str(config)]) == 2
    assert capsys.readouterr().err == "legpress: no terminal to ask for the password on; use --stdin\n"


def test_a_token_is_printed_once_and_works(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["staff", "add-token", "grafana", "--config", str(config)]) == 0
    first = capsys.readouterr().out.strip()
    assert Credentials(tmp_path / "state").knows_token(first)
    assert main(["staff", "add-token", "grafana", "--config", str(config)]) == 0
    assert not Credentials(tmp_path / "state").knows_token(first)
    assert main(["staff", "add-token", "no good", "--config", str(config)]) == 2
