//! A row of `rates.csv`: how many packets a way of receiving takes in, and at what price.

use serde::{Deserialize, Serialize};

/// Above this share of what was sent, in percent, what was lost is the receiver's doing.
const LOST_PERCENT: f64 = 2.0;
/// From this share of its ceiling on, the generator could hardly send more.
const NEAR_CEILING: f64 = 0.9;

/// What became of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was made.
    Ok,
    /// This host, or this version, can't.
    #[default]
    Skipped,
    /// It should have worked.
    Failed,
}

/// Which side was the limit of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// It lost packets: more were there than it took in.
    Receiver,
    /// It took in all that the generator can send, and might take more.
    Generator,
    /// It lost nothing, and yet the generator sent fewer than it can: what the kernel does to
    /// receive frames of a veth pair it does on the CPU that sends them.
    SharedCpu,
}

impl Limit {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Generator => "generator",
            Self::SharedCpu => "shared CPU",
        }
    }
}

/// One way of receiving under one generator in one pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The way.
    pub way: String,
    /// The generator.
    pub generator: String,
    /// The number of the pass, from 1.
    pub pass: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not there; empty when it is.
    pub reason: String,
    /// Packets that were to be sent.
    pub offered: u64,
    /// Packets that went out of the generator's interface.
    pub sent: u64,
    /// Packets that the receiver took in: counted in user space, or dropped by the program.
    pub handled: u64,
    /// How long the generator sent, in seconds.
    pub seconds: f64,
    /// Packets per second that were to be sent.
    pub offered_per_s: f64,
    /// Packets per second that were taken in.
    pub handled_per_s: f64,
    /// CPU time of the receiving process for one packet, user and system, in nanoseconds.
    pub receiver_ns_each: f64,
    /// CPU time of the generating process for one packet that was taken in, in nanoseconds.
    pub generator_ns_each: f64,
    /// CPU time of the whole host for one packet, in nanoseconds: both processes, and softirqs.
    pub host_ns_each: f64,
    /// CPUs that others used just before the pass, where the kernel tells.
    pub others_cpus: Option<f64>,
    /// Which side was the limit; none before it is known what the generator can do.
    pub limit: Option<Limit>,
}

impl Rate {
    /// What was offered and not taken in, in percent.
    #[must_use]
    pub fn lost_percent(&self) -> f64 {
        let lost = self.offered.saturating_sub(self.handled);
        100.0 * lost as f64 / self.offered.max(1) as f64
    }

    /// Says which side was the limit, when the generator can offer so much in a second.
    pub fn judge(&mut self, ceiling: f64) {
        self.limit = (self.outcome == Outcome::Ok).then(|| match self {
            _ if self.lost_percent() > LOST_PERCENT => Limit::Receiver,
            _ if self.offered_per_s >= NEAR_CEILING * ceiling => Limit::Generator,
            _ => Limit::SharedCpu,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(offered: u64, handled: u64, per_s: f64) -> Option<Limit> {
        let outcome = Outcome::Ok;
        let mut rate = Rate { outcome, offered, handled, offered_per_s: per_s, ..Rate::default() };
        rate.judge(1_000.0);
        rate.limit
    }

    #[test]
    fn who_loses_packets_is_the_limit_and_who_sends_all_it_can_is_too() {
        assert_eq!(judged(100, 90, 1_000.0), Some(Limit::Receiver));
        assert_eq!(judged(100, 100, 950.0), Some(Limit::Generator));
        assert_eq!(judged(100, 99, 500.0), Some(Limit::SharedCpu));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let mut rate = Rate::default();
        rate.judge(1.0);
        assert_eq!(rate.limit, None);
    }
}
