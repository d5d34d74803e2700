//! Reports for other platforms have the formats that those platforms specify.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use grading::Summary;
use grading::formats::{classroom50, gradebook, gradescope, junit, prairielearn};
use judge::{Judged, Outcome, Report, TASKS, Verdict, all_checks};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::trial;

/// Text that a program might print, and that breaks XML or CSV if it is not escaped.
const NASTY: &str = "<&>\"' ]]> \u{1}\u{b} → ü, ;\n\t\"quoted\",next";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("formats::gradescope", of_gradescope),
        trial("formats::classroom50", of_classroom50),
        trial("formats::prairielearn", of_prairielearn),
        trial("formats::junit", of_junit),
        trial("formats::gradebook", of_gradebook),
    ]
}

/// A report in which checks passed, failed, and were not judged, in turn.
fn report() -> Report {
    let checks = all_checks().enumerate().map(|(number, check)| {
        let verdict = match number % 3 {
            0 => Verdict::Passed {
                expected: NASTY.to_string(),
                saw: NASTY.to_string(),
            },
            1 => Verdict::Failed {
                expected: NASTY.to_string(),
                saw: NASTY.to_string(),
                hint: NASTY.to_string(),
            },
            _ => Verdict::NotJudged {
                why: NASTY.to_string(),
            },
        };
        Judged::new(check, check.task > 4, verdict, Vec::new())
    });
    Report::new(
        "jane, \"doe\"",
        Duration::from_millis(1_500),
        checks.collect(),
    )
}

/// A report in which all checks passed but those of task 1.
fn without_task_1() -> Report {
    passed_without(1)
}

/// A report with all points, and all bonus points.
fn all_passed() -> Report {
    passed_without(0)
}

/// A report in which all checks passed but those of this task.
fn passed_without(task: u32) -> Report {
    let checks = all_checks().map(|check| {
        let text = String::new;
        let verdict = if check.task == task {
            Verdict::Failed {
                expected: text(),
                saw: text(),
                hint: text(),
            }
        } else {
            Verdict::Passed {
                expected: text(),
                saw: text(),
            }
        };
        Judged::new(check, check.task > 4, verdict, Vec::new())
    });
    Report::new("jane", Duration::from_secs(1), checks.collect())
}

/// Parses JSON that must match a schema.
pub fn valid(schema: &Value, text: &str) -> Result<Value> {
    let value = serde_json::from_str(text)?;
    let schema = jsonschema::validator_for(schema).map_err(|error| anyhow!("{error}"))?;
    let errors: Vec<String> = schema
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    ensure!(
        errors.is_empty(),
        "the JSON does not match its schema: {errors:?} in {text}"
    );
    Ok(value)
}

/// The schema follows Gradescope's page on autograder specifications. The report or each of its tests needs a score,
/// and some fields allow only certain words.
fn of_gradescope() -> Result<()> {
    let formats = json!({"enum": ["text", "html", "simple_format", "md", "ansi"]});
    let visibility = json!({"enum": ["hidden", "after_due_date", "after_published", "visible"]});
    let schema = json!({
        "type": "object",
        "required": ["score", "tests"],
        "additionalProperties": false,
        "properties": {
            "score": {"type": "number"},
            "execution_time": {"type": "integer"},
            "output": {"type": "string"},
            "output_format": formats,
            "visibility": visibility,
            "stdout_visibility": visibility,
            "extra_data": {"type": "object"},
            "tests": {"type": "array", "items": {
                "type": "object",
                "required": ["score", "max_score", "name"],
                "additionalProperties": false,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": formats,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": formats,
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": visibility,
                    "extra_data": {"type": "object"},
                },
            }},
        },
    });
    let left_out = ["link is a link".to_string()];
    let results = valid(&schema, &gradescope(&report(), &left_out)?)?;
    let tests = results["tests"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(tests.len() == all_checks().count(), "{tests:?}");
    ensure!(
        results["output"].to_string().contains("link is a link"),
        "{results}"
    );
    Ok(())
}

/// The schema is `classroom50/result/v1`, which Classroom 50 publishes, with the rules that it states in words.
pub fn classroom50_schema() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let count = json!({"type": "integer", "minimum": 0});
    let time = json!({
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": [
            "schema", "classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release",
            "review", "datetime", "score", "max-score", "tests",
        ],
        "properties": {
            "schema": {"const": "classroom50/result/v1"},
            "classroom": text,
            "assignment": text,
            "assignment_type": {"enum": ["individual", "group"]},
            "owner": text,
            "submission": {"type": "string", "pattern": "^submit/"},
            "commit": text,
            "release": text,
            "review": text,
            "datetime": time,
            "graded_at": time,
            "score": count,
            "max-score": count,
            "submitted_by": {"type": "object"},
            "tests": {"type": "array", "items": {
                "type": "object",
                "required": ["test-name", "passed", "score", "max-score"],
                "properties": {
                    "test-name": text,
                    "passed": {"type": "boolean"},
                    "score": count,
                    "max-score": count,
                },
            }},
        },
    })
}

/// No score may be larger than its maximum, not even with bonus points.
fn of_classroom50() -> Result<()> {
    for report in [report(), without_task_1(), all_passed()] {
        let result = valid(&classroom50_schema(), &classroom50(&report)?)?;
        let at_most = |value: &Value| value["score"].as_u64() <= value["max-score"].as_u64();
        let tests = result["tests"].as_array().map_or(&[][..], Vec::as_slice);
        ensure!(at_most(&result) && tests.iter().all(at_most), "{result}");
    }
    Ok(())
}

/// The schema follows PrairieLearn's page on external grading. A score is needed if the submission is gradable.
fn of_prairielearn() -> Result<()> {
    let schema = json!({
        "type": "object",
        "required": ["gradable", "tests"],
        "properties": {
            "gradable": {"type": "boolean"},
            "score": {"type": "number", "minimum": 0.0, "maximum": 1.0},
            "message": {"type": "string"},
            "format_errors": {"type": "array", "items": {"type": "string"}},
            "tests": {"type": "array", "items": {
                "type": "object",
                "required": ["name", "points", "max_points"],
                "properties": {
                    "name": {"type": "string"},
                    "points": {"type": "number"},
                    "max_points": {"type": "number"},
                    "output": {"type": "string"},
                },
            }},
        },
        "if": {"properties": {"gradable": {"const": true}}},
        "then": {"required": ["score"]},
    });
    let judged = valid(&schema, &prairielearn(&without_task_1())?)?;
    ensure!(judged["gradable"] == true, "{judged}");
    // 67 of the 100 points, and all 50 of the bonus.
    ensure!(judged["score"] == json!(1.0), "{judged}");
    ensure!(judged.get("format_errors").is_none(), "{judged}");
    let not_judged = valid(&schema, &prairielearn(&report())?)?;
    ensure!(not_judged["gradable"] == false, "{not_judged}");
    ensure!(not_judged.get("score").is_none(), "{not_judged}");
    ensure!(not_judged["format_errors"].is_array(), "{not_judged}");
    Ok(())
}

fn of_junit() -> Result<()> {
    let text = junit(&report())?;
    let read = quick_junit::Report::deserialize_from_str(&text)?;
    ensure!(read.test_suites.len() == TASKS.len(), "{text}");
    ensure!(read.tests == all_checks().count(), "{text}");
    ensure!(read.failures > 0 && read.errors > 0, "{text}");
    Ok(())
}

fn of_gradebook() -> Result<()> {
    let table = gradebook(&[report(), report()], None)?;
    let mut table = csv::Reader::from_reader(&table[..]);
    let header = table.headers()?.clone();
    ensure!(
        header.len() == 6 + TASKS.len() + all_checks().count(),
        "{header:?}"
    );
    let rows = table.records().collect::<Result<Vec<_>, _>>()?;
    ensure!(rows.len() == 2, "{} rows", rows.len());
    ensure!(&rows[0][0] == "jane, \"doe\"", "{:?}", rows[0]);
    let of_whole = gradebook(&[without_task_1()], None)?;
    let mut of_whole = csv::Reader::from_reader(&of_whole[..]);
    let whole = of_whole.records().collect::<Result<Vec<_>, _>>()?;
    let report = report();
    let mut judged = report
        .checks
        .iter()
        .zip(rows[0].iter().skip(6 + TASKS.len()));
    let is_right = |(row, cell): (&Judged, &str)| match row.outcome {
        Outcome::NotJudged => cell.is_empty(),
        Outcome::Passed | Outcome::Failed => cell.parse() == Ok(row.points),
    };
    ensure!(judged.all(is_right), "{:?}", rows[0]);
    // A bonus does not make up for regular points.
    let cell = |name: &str| {
        let at = header.iter().position(|other| other == name);
        at.and_then(|at| whole[0].get(at)).unwrap_or_default()
    };
    ensure!(
        [cell("score"), cell("regular"), cell("bonus")] == ["117", "67", "50"],
        "{:?}",
        whole[0]
    );
    ensure!(
        Summary(&[without_task_1()])
            .to_string()
            .contains("67 of 100 points and 50 of 50 bonus points"),
        "{}",
        Summary(&[without_task_1()])
    );
    // If a part of a sum is not known, the sum is not known, and its cell is empty, too.
    ensure!(rows[0][1].is_empty(), "{:?}", rows[0]);
    Ok(())
}
