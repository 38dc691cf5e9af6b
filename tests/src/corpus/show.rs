//! A report for people.

use super::mapping::Kind;
use super::report::{Difference, Report, Totals};

/// The whole report; lists end after `most` rows.
pub(super) fn text(report: &Report, most: usize) -> String {
    let mut lines = vec![format!(
        "{} captures, {} rows, of which {} named by content; {} flows here that no row speaks of",
        report.captures,
        report.all.levels[0].strict.all,
        report.content.levels[0].strict.all,
        report.flows_without_row
    )];
    lines.push(format!("captures not read: {}", report.unread.len()));
    for unread in &report.unread {
        let (capture, reason, rows) = (&unread.capture, &unread.reason, unread.rows);
        lines.push(format!("    {capture}: {reason} ({rows} rows not scored)"));
    }
    names(&mut lines, report);
    list(&mut lines, "names that differ, rows by content", &report.differences, most);
    let other = "names that differ, other rows that the reference names";
    list(&mut lines, other, &report.other_differences, most);
    list(&mut lines, "names given to rows expected Unknown", &report.false_names, most);
    list(&mut lines, "host names that differ", &report.host_differences, most);
    list(&mut lines, "JA4 that differ", &report.ja4_differences, most);
    let categories = "categories that differ where the application is equal";
    list(&mut lines, categories, &report.category_differences, most);
    totals(&mut lines, "ROWS BY CONTENT", &report.content);
    totals(&mut lines, "ALL ROWS", &report.all);
    others(&mut lines, report);
    lines.join("\n") + "\n"
}

fn names(lines: &mut Vec<String>, report: &Report) {
    lines.push(format!(
        "\n{:<40} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6}",
        "name (rows by content, whole mapping)",
        "rows",
        "full",
        "app",
        "master",
        "claimed",
        "prec."
    ));
    for (name, row) in &report.names {
        let [full, app, master] = row.levels;
        let precision = (100 * full.of).checked_div(row.claimed);
        let precision = precision.map_or("-".to_owned(), |percent| format!("{percent}%"));
        lines.push(format!(
            "{name:<40} {:>6} {:>6} {:>6} {:>6} {:>7} {precision:>6}",
            full.all, full.of, app.of, master.of, row.claimed
        ));
    }
}

fn list(lines: &mut Vec<String>, title: &str, rows: &[Difference], most: usize) {
    let flows: usize = rows.iter().map(|row| row.count).sum();
    let first = if rows.len() > most { format!(", the first {most}") } else { String::new() };
    lines.push(format!("\n{title}: {} pairs, {flows} rows{first}", rows.len()));
    for row in rows.iter().take(most) {
        let ours = if row.ours.is_empty() { "(none)" } else { &row.ours };
        lines.push(format!("{:>5}  {} -> {ours}   e.g. {}", row.count, row.theirs, row.example));
    }
}

fn totals(lines: &mut Vec<String>, title: &str, totals: &Totals) {
    lines.push(format!("\n{title}"));
    lines.push(format!(
        "{:<34} {:>23} {:>23} {:>17} {:>20}",
        "(strict: but for spelling)", "strict", "whole mapping", "mean by name", "mean by capture"
    ));
    for (level, name) in totals.levels.iter().zip(["full name", "application", "master"]) {
        lines.push(format!(
            "{name:<34} {:>23} {:>23} {:>8.2} {:>6.2} % {:>11.2} {:>6.2} %",
            level.strict.to_string(),
            level.mapped.to_string(),
            level.names_strict * 100.0,
            level.names_mapped * 100.0,
            level.captures_strict * 100.0,
            level.captures_mapped * 100.0,
        ));
    }
    let level = &totals.levels[0];
    lines.push(format!("means are over {} names and {} captures", level.names, level.captures));
    let kinds = Kind::ALL.iter().zip(totals.kinds);
    let kinds: Vec<String> =
        kinds.map(|(kind, count)| format!("{count} {}", kind.name())).collect();
    lines.push(format!("full names equal: {}", kinds.join(", ")));
    lines.push(format!(
        "not counted as equal: {} where we name what the protocol carries and the reference does \
         not, {} by a guess from the port; {} rows without a flow here",
        totals.finer, totals.guesses, totals.no_flow
    ));
}

fn others(lines: &mut Vec<String>, report: &Report) {
    let guesses = report.unknown_guesses;
    let effort = &report.effort;
    lines.extend([
        "\nOTHER FIGURES".to_owned(),
        format!("expected Unknown, named here        {}", report.unknown),
        format!("    and right by the format         {:>5}", report.named_rightly),
        format!("    and guessed from the port       {guesses:>5}"),
        format!("host name equal                     {}", report.hosts),
        format!("    and host names beyond those     {:>5}", report.hosts_beyond),
        format!("JA4 equal                           {}", report.ja4),
        format!("    as JA4 is described             {}", report.ja4_as_described),
        format!("category equal, strict              {}", report.category_strict),
        format!("category equal, whole mapping       {}", report.category_mapped),
        format!("    where the application is equal  {}", report.category_same_app),
        format!(
            "packets inspected a flow            {:.2} (most {}); the reference {:.2}",
            effort.mean, effort.most, effort.reference
        ),
    ]);
}
