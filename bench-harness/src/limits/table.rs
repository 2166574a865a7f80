//! Predictions, and the limits that they are made from, as aligned tables.

use super::host::{Bound, HostLimits, Setting};
use super::prediction::Prediction;
use crate::report::number::grouped;

/// A line for each prediction, below a head. What nothing stops up to the most clients that were
/// asked about shows the limit that would be next.
#[must_use]
pub fn table(predictions: &[Prediction]) -> String {
    let head = ["model", "clients", "stopped by", "how that comes about", "what raises it"];
    aligned(head, predictions.iter().map(prediction_line))
}

/// A line for each limit: what it is set to, what others use of it, where that was read.
#[must_use]
pub fn host_table(limits: &HostLimits) -> String {
    let head = ["limit", "set to", "used by others", "counts", "read from"];
    aligned(head, limits.settings.iter().map(setting_line))
}

fn prediction_line(prediction: &Prediction) -> [String; 5] {
    let clients = grouped(prediction.clients as f64);
    let (clients, stopped) = match prediction.binding {
        Some(limit) => (clients, limit.name()),
        None => (format!(">= {clients}"), "-"),
    };
    let names = prediction.unknown.iter().map(|limit| limit.name()).collect::<Vec<_>>().join(", ");
    let unknown = if names.is_empty() { names } else { format!(" (unknown: {names})") };
    let arithmetic = format!("{}{unknown}", prediction.arithmetic);
    [prediction.model.clone(), clients, stopped.to_owned(), arithmetic, prediction.raise.clone()]
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

    fn prediction(model: &str, clients: u64, binding: Option<Limit>) -> Prediction {
        Prediction {
            model: model.into(),
            clients,
            binding,
            arithmetic: "2 - 1 = 1".into(),
            raise: "more".into(),
            ladder: Vec::new(),
            client_side: Vec::new(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn columns_are_aligned_and_what_nothing_stops_is_at_least_so_much() {
        let free = Prediction { raise: String::new(), ..prediction("epoll", 1_000_000, None) };
        let free = Prediction { unknown: vec![Limit::TcpMem], ..free };
        let text = table(&[prediction("thread", 16_302, Some(Limit::MaxMapCount)), free]);
        let expected = "\
model        clients  stopped by        how that comes about                   what raises it
thread        16,302  vm.max_map_count  2 - 1 = 1                              more
epoll   >= 1,000,000  -                 2 - 1 = 1 (unknown: net.ipv4.tcp_mem)
";
        assert_eq!(text, expected);
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
