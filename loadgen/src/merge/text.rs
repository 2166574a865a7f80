//! The result of a merge for the eye.

use std::fmt::{Result, Write};

use super::output::{Agent, Merged};
use crate::records::Quantile;

pub(super) fn text(merged: &Merged) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = head(&mut text, merged);
    let _ = times(&mut text, merged);
    let _ = agents(&mut text, merged);
    let _ = findings(&mut text, merged);
    text
}

fn head(text: &mut String, merged: &Merged) -> Result {
    let (there, size) = (merged.agents.len(), merged.size);
    writeln!(text, "agents      {there} of {size}")?;
    if !merged.missing.is_empty() {
        writeln!(text, "missing     rank {:?}", merged.missing)?;
    }
    match merged.window {
        Some(window) => writeln!(text, "together    {:.3} s", window.seconds)?,
        None => writeln!(text, "together    never")?,
    }
    let of = &merged.requests;
    writeln!(
        text,
        "requests    {} sent = {} answered + {} failed + {} outstanding; {} never sent",
        of.sent, of.answered, of.failed, of.outstanding, of.unsent
    )?;
    writeln!(text, "rate        {:.1} answers/s", merged.rate_found)
}

fn times(text: &mut String, merged: &Merged) -> Result {
    for (name, of) in &merged.times {
        if of.count == 0 {
            writeln!(text, "{name:<12}nothing recorded")?;
            continue;
        }
        let percentiles = shown(&of.percentiles);
        writeln!(text, "{name:<12}{} recorded: {percentiles}, max {}", of.count, ms(of.max_ns))?;
    }
    Ok(())
}

fn agents(text: &mut String, merged: &Merged) -> Result {
    writeln!(text, "\nrank  began after    answers/s  share  of the tail  response")?;
    let first = merged.agents.iter().map(|agent| agent.start).fold(f64::INFINITY, f64::min);
    for agent in &merged.agents {
        let Agent { rank, rate, share, share_of_tail, .. } = agent;
        let (share, tail) = (share * 100.0, share_of_tail * 100.0);
        let (after, response) = ((agent.start - first) * 1e3, shown(&agent.response));
        writeln!(
            text,
            "{rank:>4} {after:>9.1} ms {rate:>12.1} {share:>4.0} % {tail:>10.0} %  {response}"
        )?;
    }
    Ok(())
}

fn findings(text: &mut String, merged: &Merged) -> Result {
    for of in &merged.deviations {
        writeln!(text, "\nrank {} deviates: {}", of.rank, of.reason)?;
    }
    for damage in &merged.damage {
        writeln!(text, "\ndamaged: {damage}")?;
    }
    Ok(())
}

fn shown(percentiles: &[Quantile]) -> String {
    let shown = percentiles.iter().map(|of| {
        let value = of.value_ns.map_or_else(|| "no answer".to_owned(), ms);
        format!("p{} {value}", of.percent)
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn ms(nanos: u64) -> String {
    format!("{:.3} ms", nanos as f64 / 1e6)
}
