//! Predictions as an aligned table.

use super::host::Limit;
use super::prediction::Prediction;
use crate::report::number::grouped;

const HEAD: [&str; 5] =
    ["model", "clients", "stopped by", "how that comes about", "what raises it"];

/// A line for each prediction, below a head. What nothing stops up to the most clients that were
/// asked about says which limit would be next.
#[must_use]
pub fn table(predictions: &[Prediction]) -> String {
    let head = HEAD.map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head).chain(predictions.iter().map(columns)).collect();
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    lines.iter().map(|line| aligned(line, widths)).collect()
}

/// Names to the left, numbers to the right.
fn aligned(line: &[String; 5], [name, count, limit, sum, _]: [usize; 5]) -> String {
    let [a, b, c, d, e] = line;
    let line = format!("{a:name$}  {b:>count$}  {c:limit$}  {d:sum$}  {e}");
    format!("{}\n", line.trim_end())
}

fn columns(prediction: &Prediction) -> [String; 5] {
    let clients = grouped(prediction.clients as f64);
    let unknown = unknown(&prediction.unknown);
    let (clients, stopped) = match prediction.binding {
        Some(limit) => (clients, limit.name().to_owned()),
        None => (format!(">= {clients}"), "-".to_owned()),
    };
    let arithmetic = format!("{}{unknown}", prediction.arithmetic);
    [prediction.model.clone(), clients, stopped, arithmetic, prediction.raise.clone()]
}

fn unknown(limits: &[Limit]) -> String {
    let names = limits.iter().map(|limit| limit.name()).collect::<Vec<_>>();
    if names.is_empty() { String::new() } else { format!(" (unknown: {})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
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
        let stopped = prediction("thread", 16_302, Some(Limit::MaxMapCount));
        let free = Prediction { raise: String::new(), ..prediction("epoll", 1_000_000, None) };
        let free = Prediction { unknown: vec![Limit::TcpMem], ..free };
        let expected = "\
model     clients  stopped by        how that comes about                   what raises it
thread      16,302  vm.max_map_count  2 - 1 = 1                              more
epoll   >= 1,000,000  -                 2 - 1 = 1 (unknown: net.ipv4.tcp_mem)
";
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let text = table(&[stopped, free]);
        assert_eq!(words(&text), words(expected));
        let starts =
            text.lines().map(|line| line.find("how that").or_else(|| line.find("2 - 1")).unwrap());
        assert!(starts.clone().all(|start| Some(start) == starts.clone().next()), "{text}");
    }
}
