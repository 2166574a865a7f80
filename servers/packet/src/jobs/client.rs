//! `servers packet jobs-client`: asks for jobs, at a steady pace, and hears nothing of them.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::chance;
use super::message::Message;
use crate::stop::Stop;
use crate::udp::report::{Ending, publish};

/// As many microseconds as a message can say, in whole seconds.
const LONGEST: Duration = Duration::from_secs(4_294);

/// Which jobs to ask for.
#[derive(Clone, Debug, Args)]
pub struct Client {
    /// Where the balancer is
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// How long between two jobs, and how long a job takes at least and less than: in seconds,
    /// fractions allowed; all three or none [default: 1 20 25]
    #[arg(value_names = ["WAIT_TIME", "SLEEP_MIN", "SLEEP_MAX"], num_args = 3, value_parser = seconds)]
    pub times: Vec<Duration>,
    /// Jobs per second, instead of WAIT_TIME
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Where the random numbers begin [default: somewhere else each time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Say nothing of each job
    #[arg(long)]
    pub quiet: bool,
    /// When to end; --count is of jobs.
    #[command(flatten)]
    pub ending: Ending,
}

/// What a client has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Jobs sent.
    pub jobs: u64,
    /// Jobs that could not be sent: nobody was there, or there was no room.
    pub unsent: u64,
    /// How long those sent are to take, added up, in microseconds.
    pub work_microseconds: u64,
}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Client, out: &mut impl Write) -> anyhow::Result<()> {
    let stop = Stop::at_signals(options.ending.duration).context("cannot watch for signals")?;
    let report = ask(options, &stop, out)?;
    publish(&report, out, options.ending.counters.as_deref())
}

/// Asks for jobs until there were as many as asked for, or it is time to stop.
///
/// # Errors
/// When there is no way to the balancer, the times contradict each other, or `out` takes no more.
pub fn ask(options: &Client, stop: &Stop, out: &mut impl Write) -> anyhow::Result<Report> {
    let (wait, work) = plan(options)?;
    let socket = crate::udp::socket_between(None, options.to)?;
    let mut jobs = Jobs::new(options.seed.unwrap_or_else(chance), work);
    let mut report = Report::default();
    let start = Instant::now();
    for turn in 0..options.ending.count.unwrap_or(u64::MAX) {
        // By the schedule from the start, not from the last job: what was late is made up for.
        if !stop.sleep_until(start + wait.mul_f64(turn as f64)) {
            break;
        }
        let job = jobs.next();
        send(&socket, &job, &mut report);
        if !options.quiet {
            let seconds = f64::from(job.work) / 1e6;
            writeln!(out, "job {:016x}: {seconds} seconds, to {}", job.id, options.to)?;
            out.flush()?;
        }
    }
    Ok(report)
}

/// How long between two jobs, and how long a job takes, in microseconds: at least, and less than.
fn plan(options: &Client) -> anyhow::Result<(Duration, (u32, u32))> {
    let default = [1, 20, 25].map(Duration::from_secs);
    let times = if options.times.is_empty() { &default[..] } else { &options.times };
    let &[wait, least, most] = times else {
        bail!("name WAIT_TIME, SLEEP_MIN and SLEEP_MAX, or none of them");
    };
    if least > most {
        bail!("SLEEP_MIN may not be more than SLEEP_MAX");
    }
    let wait = options.rate.map_or(wait, |rate| Duration::from_secs(1) / rate);
    // No more than fits: the parser saw to that.
    Ok((wait, (least.as_micros() as u32, most.as_micros() as u32)))
}

/// Makes jobs, each with an id of its own: the upper half is the client's, the lower half counts.
struct Jobs {
    random: SmallRng,
    next_id: u64,
    work: (u32, u32),
}

impl Jobs {
    fn new(seed: u64, work: (u32, u32)) -> Self {
        // Not from the seed: two clients with one seed ask for the same work, but not for the same
        // jobs.
        let next_id = chance() << 32;
        Self { next_id, random: SmallRng::seed_from_u64(seed), work }
    }

    fn next(&mut self) -> Message {
        let (least, most) = self.work;
        let work = if least < most { self.random.random_range(least..most) } else { least };
        let job = Message::submit(self.next_id, work);
        self.next_id += 1;
        job
    }
}

fn send(socket: &UdpSocket, job: &Message, report: &mut Report) {
    match socket.send(&job.encode()) {
        Ok(_) => {
            report.jobs += 1;
            report.work_microseconds += u64::from(job.work);
        }
        // Nobody is there (ICMP said it of an earlier one), or the queue of the interface is full.
        Err(_) => report.unsent += 1,
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "this is a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= LONGEST => Ok(time),
        _ => Err(format!("from 0 to {} seconds", LONGEST.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        client: Client,
    }

    fn line(words: &str) -> Result<Client, String> {
        let words = ["client", "--to", "127.0.0.1:9"].into_iter().chain(words.split_whitespace());
        Line::try_parse_from(words).map(|line| line.client).map_err(|error| error.to_string())
    }

    #[test]
    fn the_times_are_all_three_or_none() {
        let second = Duration::from_secs(1);
        assert_eq!(plan(&line("").unwrap()).unwrap(), (second, (20_000_000, 25_000_000)));
        let plan_of = |words| plan(&line(words).unwrap());
        assert_eq!(plan_of("0.5 0 0.001").unwrap(), (second / 2, (0, 1_000)));
        assert_eq!(plan_of("--rate 100 1 2 3").unwrap().0, second / 100);
        assert!(line("1").is_err() && line("1 2").is_err() && line("1 2 3 4").is_err());
        assert!(line("1 2 x").is_err() && line("1 -2 3").is_err() && line("1 2 5000").is_err());
        assert!(plan_of("1 3 2").unwrap_err().to_string().contains("SLEEP_MIN"));
    }

    #[test]
    fn a_job_takes_at_least_the_one_and_less_than_the_other() {
        let mut jobs = Jobs::new(1, (20, 25));
        let work: Vec<u32> = (0..1_000).map(|_| jobs.next().work).collect();
        assert!((20..25).all(|time| work.contains(&time)));
        assert!(work.iter().all(|time| (20..25).contains(time)));
        assert_eq!(Jobs::new(1, (7, 7)).next().work, 7);
    }

    #[test]
    fn no_two_jobs_have_one_id() {
        let (mut one, mut other) = (Jobs::new(1, (0, 0)), Jobs::new(1, (0, 0)));
        let first = one.next().id;
        assert_eq!(one.next().id, first + 1);
        assert_ne!(other.next().id >> 32, first >> 32, "one in 2³² times this is just bad luck");
    }

    #[test]
    fn each_job_is_printed_and_sent() {
        let balancer = UdpSocket::bind("127.0.0.1:0").unwrap();
        balancer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let to = balancer.local_addr().unwrap();
        let options = Client { to, ..line("--count 3 0 0.002 0.002").unwrap() };
        let mut out = Vec::new();
        let report = ask(&options, &Stop::default(), &mut out).unwrap();
        assert_eq!(report, Report { jobs: 3, unsent: 0, work_microseconds: 6_000 });
        for printed in String::from_utf8(out).unwrap().lines() {
            let mut payload = [0; 64];
            let length = balancer.recv(&mut payload).unwrap();
            let job = Message::decode(&payload[..length]).unwrap();
            let expected = format!("job {:016x}: 0.002 seconds, to {to}", job.id);
            assert_eq!(printed, expected);
        }
    }
}
