//! Predictions, and the limits that they are made from, as aligned tables.

use super::host::{Bound, Fact, HostLimits, Setting};
use super::prediction::{Prediction, Rung};
use crate::report::number::grouped;

/// For each model, the limits that would stop it one after the other, the first one first.
#[must_use]
pub fn ladders(predictions: &[Prediction]) -> String {
    let head = ["model", "clients", "stopped by", "how that comes about", "what raises it"];
    aligned(head, predictions.iter().flat_map(rungs))
}

/// A line for each limit: what it is set to, what others use of it, where that was read; and below
/// them what matters to the clients without limiting how many there are.
#[must_use]
pub fn host_table(limits: &HostLimits) -> String {
    let head = ["limit", "set to", "used by others", "counts", "read from"];
    let facts = limits.facts.iter().map(fact_line);
    aligned(head, limits.settings.iter().map(setting_line).chain(facts))
}

fn fact_line(fact: &Fact) -> [String; 5] {
    let no_limit = "no limit on clients".to_owned();
    [fact.name.clone(), fact.value.clone(), String::new(), no_limit, fact.source.clone()]
}

fn rungs(prediction: &Prediction) -> Vec<[String; 5]> {
    let line = |(n, rung): (usize, &Rung)| {
        let model = if n == 0 { prediction.model.clone() } else { String::new() };
        let clients = grouped(rung.clients as f64);
        let (limit, arithmetic) = (rung.limit.name().to_owned(), rung.arithmetic.clone());
        [model, clients, limit, arithmetic, rung.raise.clone()]
    };
    let unknown = prediction.unknown.iter().map(|limit| {
        let words = "it can't be read here".to_owned();
        [String::new(), "unknown".into(), limit.name().to_owned(), words, String::new()]
    });
    prediction.ladder.iter().enumerate().map(line).chain(unknown).collect()
}

fn setting_line(setting: &Setting) -> [String; 5] {
    let bound = match setting.bound {
        Bound::Unknown => "unknown".into(),
        Bound::Unlimited => "unlimited".into(),
        Bound::AtMost(most) => grouped(most as f64),
    };
    let others = setting.others.map_or_else(|| "unknown".into(), |others| grouped(others as f64));
    let waived = setting.waived.iter().map(|why| format!(" ({why})")).collect::<String>();
    let source = format!("{}{waived}", setting.source);
    [setting.limit.name().into(), bound, others, setting.limit.unit().into(), source]
}

/// Columns as wide as their widest cell; the second has numbers, to the right.
fn aligned(head: [&str; 5], lines: impl Iterator<Item = [String; 5]>) -> String {
    let lines: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(lines).collect();
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let [a, b, c, d, _] = [0, 1, 2, 3, 4].map(width);
    let text = |[name, number, third, fourth, last]: &[String; 5]| {
        let line = format!("{name:a$}  {number:>b$}  {third:c$}  {fourth:d$}  {last}");
        format!("{}\n", line.trim_end())
    };
    lines.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::host::Limit;
    use super::*;

    fn rung(limit: Limit, clients: u64, raise: &str) -> Rung {
        Rung { limit, clients, arithmetic: "2 - 1 = 1".into(), raise: raise.into() }
    }

    #[test]
    fn columns_are_aligned_and_what_cannot_be_read_is_said() {
        let prediction = Prediction {
            model: "thread".into(),
            clients: 16_302,
            binding: Some(Limit::MaxMapCount),
            arithmetic: String::new(),
            raise: String::new(),
            ladder: vec![rung(Limit::MaxMapCount, 16_302, "more"), rung(Limit::PidMax, 32_000, "")],
            client_side: Vec::new(),
            unknown: vec![Limit::TcpMem],
        };
        let expected = "\
model   clients  stopped by        how that comes about   what raises it
thread   16,302  vm.max_map_count  2 - 1 = 1              more
         32,000  kernel.pid_max    2 - 1 = 1
        unknown  net.ipv4.tcp_mem  it can't be read here
";
        assert_eq!(ladders(&[prediction]), expected);
    }

    #[test]
    fn a_limit_that_does_not_hold_says_so() {
        let setting = Setting::new(Limit::Nproc, "/proc/self/limits", Bound::AtMost(96_365));
        let setting = Setting { waived: Some("not held against root".into()), ..setting };
        let text = host_table(&HostLimits::default().with(setting.used(None)));
        assert!(text.contains("96,365  unknown"), "{text}");
        assert!(text.ends_with("/proc/self/limits (not held against root)\n"), "{text}");
    }
}
