//! How many requests each replica of a balancer at work answered, beside what was published and
//! what is exact.

use super::Evidence;
use super::counts::{among, body, groups, has_published};
use crate::balance::live::{Live, totals};
use crate::balance::spread::Origin;
use crate::plot::figure::Figure;
use crate::report::number::{grouped, three};

pub(super) fn build(evidence: &Evidence<'_>, method: &str) -> Option<Figure> {
    let own: Vec<_> =
        evidence.run.live.iter().filter(|row| row.method == method).cloned().collect();
    let counted = |nodes| {
        let cell = own.iter().filter(|row| row.nodes == nodes);
        cell.map(|row| (row.count, row.expected)).collect()
    };
    let groups = groups(evidence, method, counted);
    let source = has_published(&groups).then(|| evidence.source());
    let each = grouped(own.first()?.requests.into());
    Some(Figure {
        name: format!("live-{method}"),
        finding: finding(evidence, method, &own)?,
        subtitle: vec![
            format!(
                "Requests that each replica answered, of {each} each to balancers of {} replicas",
                among(evidence)
            ),
            evidence.conditions(),
        ],
        notes: source.into_iter().collect(),
        body: body(groups, "answered", "requests"),
    })
}

fn finding(evidence: &Evidence<'_>, method: &str, own: &[Live]) -> Option<String> {
    let (asked, failed) = totals(own);
    let failed = if failed == 0 { "none".into() } else { grouped(failed as f64) };
    let fits = evidence.findings.fits.iter();
    let mut fits = fits.filter(|fit| fit.method == method && fit.origin == Origin::Live);
    let fit = fits.find(|fit| fit.nodes.is_none())?;
    let verdict = if fit.holds() { "explain" } else { "do not explain" };
    Some(format!(
        "{method} at work: of {} requests {failed} failed, and the exact shares {verdict} who \
         answered (chi-square, p = {})",
        grouped(asked as f64),
        three(fit.chance)
    ))
}
