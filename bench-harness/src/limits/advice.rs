//! Which settings make a model serve so many clients here, or why none do.

use super::appetite::Appetite;
use super::host::{HostLimits, Limit};
use super::need::{Need, needs};
use super::remedy::START;
use crate::experiment::model::Model;

/// What has to be done so that so many clients are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How many descriptor tables the server takes.
    pub tables: u32,
    /// Limits to be raised first, in this order.
    pub steps: Vec<Step>,
    /// How to start the server then.
    pub start: String,
    /// Why it can't be done, for each limit in the way; empty when it can.
    pub impossible: Vec<String>,
}

/// A limit to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub limit: Limit,
    /// To what.
    pub to: u64,
    /// By which command; one that ends in `servers run …` is a part of the start.
    pub command: String,
}

impl Step {
    /// Whether it is a part of the line that starts the server.
    fn wraps(&self) -> bool {
        self.command.contains(START)
    }
}

/// Says how a model comes to serve so many clients on a host with these limits.
#[must_use]
pub fn advise(model: &Model, appetite: &Appetite, limits: &HostLimits, clients: u64) -> Advice {
    let short = |tables| {
        let needs = needs(model, appetite, limits, tables).into_iter();
        needs.filter(move |need| need.is_short(clients))
    };
    let tables = short(model.tables)
        .filter(|need| need.ample_amount(clients) > need.setting.ceiling)
        .filter_map(|need| need.tables_for(clients))
        .fold(model.tables, u32::max);
    let (mut steps, mut impossible) = (Vec::new(), Vec::new());
    for need in short(tables) {
        match step(&need, clients) {
            Ok(step) => steps.push(step),
            Err(why) => impossible.push(why),
        }
    }
    // First what the host needs, then what belongs to the start of the server.
    steps.sort_by_key(|step: &Step| (step.wraps(), step.limit));
    let start = start(model, &steps, tables, clients);
    Advice { tables, steps, start, impossible }
}

/// A fiftieth more than is needed: what a server has anyway grows a little with its tables.
fn step(need: &Need, clients: u64) -> Result<Step, String> {
    let exact = need.ample_amount(clients);
    let to = (exact + exact / 50).min(need.setting.ceiling);
    if to < exact || need.setting.command.is_empty() {
        let (name, raise) = (need.limit().name(), need.raise(clients));
        return Err(format!("{name}: {}; {raise}", need.arithmetic()));
    }
    Ok(Step { limit: need.limit(), to, command: need.setting.raise(to) })
}

/// The line that starts the server: what goes before it, itself, and its options.
fn start(model: &Model, steps: &[Step], tables: u32, clients: u64) -> String {
    let parts = steps.iter().filter_map(|step| step.command.split_once(START));
    let (before, after): (String, String) = parts.unzip();
    let name = &model.name;
    let tables = if tables > model.tables { format!(" --tables {tables}") } else { String::new() };
    format!(
        "{before}servers run --model {name} --app echo --listen 127.0.0.1:7000{tables} \
         --clients {clients}{after}"
    )
}

#[cfg(test)]
mod tests {
    use super::super::appetite::Share;
    use super::super::host::{Bound, Setting};
    use super::*;

    fn model(json: &str) -> Model {
        serde_json::from_str(json).unwrap()
    }

    fn threads() -> Appetite {
        let share = |base, each| Share { base, each };
        Appetite {
            descriptors: share(9.0, 1.0),
            threads: share(2.0, 1.0),
            mappings: share(64.0, 4.0),
            ..Appetite::default()
        }
    }

    /// A host like many: a table can't be made larger, the rest can.
    fn host() -> HostLimits {
        let at_most = |limit, most| {
            let command = format!("sysctl -w {}={{}}", Limit::name(limit));
            Setting::new(limit, "planted", Bound::AtMost(most)).set_by(command)
        };
        HostLimits::default()
            .with(at_most(Limit::Nofile, 20_000).up_to(20_000))
            .with(at_most(Limit::MaxMapCount, 65_530))
            .with(at_most(Limit::PidMax, 32_768).up_to(4_194_304))
            .with(at_most(Limit::ThreadsMax, 192_730))
    }

    #[test]
    fn threads_for_35_000_clients_need_mappings_numbers_and_tables() {
        let thread = model(r#"{"name":"thread"}"#);
        let advice = advise(&thread, &threads(), &host(), 35_000);
        assert_eq!(advice.impossible, Vec::<String>::new());
        let limits: Vec<_> = advice.steps.iter().map(|step| step.limit).collect();
        assert_eq!(limits, [Limit::PidMax, Limit::MaxMapCount]);
        assert!(advice.steps.iter().all(|step| step.command.ends_with(&step.to.to_string())));
        assert!(advice.start.contains("--model thread"), "{}", advice.start);
        assert!(advice.start.ends_with("--tables 2 --clients 35000"), "{}", advice.start);
    }

    #[test]
    fn what_it_advises_is_enough() {
        let thread = model(r#"{"name":"thread"}"#);
        let advice = advise(&thread, &threads(), &host(), 35_000);
        let raised = advice.steps.iter().fold(host(), |host, step| {
            let setting = host.setting(step.limit).unwrap().clone();
            host.with(Setting { bound: Bound::AtMost(step.to), ..setting })
        });
        let prediction = super::super::predict(&thread, &threads(), &raised, advice.tables, 35_000);
        assert_eq!((prediction.clients, prediction.binding), (35_000, None));
        let again = advise(&thread, &threads(), &raised, 35_000);
        assert!(again.steps.is_empty() && again.impossible.is_empty());
    }

    #[test]
    fn a_limit_of_the_process_is_raised_where_the_server_is_started() {
        let command = "prlimit --nofile={}:{} servers run …";
        let nofile = Setting::new(Limit::Nofile, "planted", Bound::AtMost(1_000)).set_by(command);
        let poll = model(r#"{"name":"poll"}"#);
        let advice = advise(&poll, &threads(), &HostLimits::default().with(nofile), 5_000);
        let expected = "prlimit --nofile=5109:5109 servers run --model poll --app echo \
            --listen 127.0.0.1:7000 --clients 5000";
        assert_eq!(advice.start, expected);
    }

    #[test]
    fn what_is_impossible_says_why() {
        let memory = Setting::new(Limit::Memory, "planted", Bound::AtMost(1 << 30)).up_to(1 << 30);
        let appetite =
            Appetite { resident: Share { base: 0.0, each: 65_536.0 }, ..Appetite::default() };
        let poll = model(r#"{"name":"poll"}"#);
        let advice = advise(&poll, &appetite, &HostLimits::default().with(memory), 1_000_000);
        let [why] = &advice.impossible[..] else { panic!("{advice:?}") };
        assert!(why.contains("1 GiB / 64 KiB a client = 16,384"), "{why}");
        assert!(why.contains("61 GiB are needed"), "{why}");
        let one = Appetite { workers: Some(1), ..Appetite::default() };
        let iterative = model(r#"{"name":"iterative","at_once":{"kind":"one"}}"#);
        let advice = advise(&iterative, &one, &HostLimits::default(), 2);
        assert!(advice.impossible[0].starts_with("workers: 1 workers = 1"), "{advice:?}");
    }
}
