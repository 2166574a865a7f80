//! What `sink` and `echo` do on an AF_XDP socket.

use anyhow::{Context, bail};

use super::answer::turn_round;
use super::tap::Tap;
use crate::frame::parse;
use crate::stop::Stop;
use crate::udp::tally::Filter;
use crate::udp::{Wait, echo, report::Meter, sink};

/// Filters until `count` packets have come, or it is time to stop.
///
/// # Errors
/// When this is no way to wait for an AF_XDP socket, or what the socket says.
pub fn filter(
    mut tap: Tap,
    (wait, batch): (Wait, u16),
    count: Option<u64>,
    stop: &Stop,
) -> anyhow::Result<sink::Report> {
    let mut filter = Filter::default();
    let meter = take(&mut tap, wait, count, stop, |tap| {
        tap.socket.receive(batch.into(), |frame| {
            // The program lets nothing else come here; if it did, it would not be counted.
            if let Some(udp) = parse(frame).ok().as_ref().and_then(|frame| frame.udp()) {
                filter.judge(udp.payload);
            }
            None
        })
    })?;
    Ok(sink::Report {
        socket: tap.kind(),
        wait,
        tally: filter.tally(),
        overflowed: tap.socket.statistics().ok().map(|statistics| statistics.dropped),
        system_calls: tap.socket.calls(),
        spent: meter.read()?,
    })
}

/// Sends datagrams back until `count` packets have come, or it is time to stop.
///
/// # Errors
/// As [`filter`].
pub fn echo(
    mut tap: Tap,
    (wait, batch): (Wait, u16),
    count: Option<u64>,
    stop: &Stop,
) -> anyhow::Result<echo::Report> {
    let mut report = echo::Report { socket: tap.kind(), wait, ..echo::Report::default() };
    let meter = take(&mut tap, wait, count, stop, |tap| answer(tap, batch, &mut report))?;
    let left = tap.socket.drain();
    report.unsent = tap.socket.unsent() + left;
    report.echoed -= report.unsent;
    report.overflowed = tap.socket.statistics().ok().map(|statistics| statistics.dropped);
    report.system_calls = tap.socket.calls();
    report.spent = meter.read()?;
    Ok(report)
}

/// Has `each` take what is there, and rests where that is nothing, until `count` frames have come
/// or it is time to stop. The meter runs since the first of them.
fn take(
    tap: &mut Tap,
    wait: Wait,
    count: Option<u64>,
    stop: &Stop,
    mut each: impl FnMut(&mut Tap) -> usize,
) -> anyhow::Result<Meter> {
    check(wait)?;
    let (mut meter, mut frames) = (Meter::start()?, 0);
    while frames < count.unwrap_or(u64::MAX) && !stop.is_asked() {
        let came = each(tap);
        if came == 0 {
            rest(tap, wait)?;
        } else if frames == 0 {
            meter = Meter::start()?;
        }
        frames += came as u64;
    }
    Ok(meter)
}

/// Turns round what is there. Returns how many frames there were.
fn answer(tap: &mut Tap, batch: u16, report: &mut echo::Report) -> usize {
    let port = tap.port;
    let came = tap.socket.receive(batch.into(), |frame| {
        report.packets += 1;
        let turned = turn_round(frame, port)?;
        report.echoed += 1;
        report.octets += turned.payload as u64;
        Some(turned.frame)
    });
    if came > 0 {
        tap.socket.send();
    }
    came
}

fn rest(tap: &mut Tap, wait: Wait) -> anyhow::Result<()> {
    match wait {
        Wait::Busy => tap.socket.nudge(),
        _ => tap.socket.wait().context("waiting for frames")?,
    }
    Ok(())
}

fn check(wait: Wait) -> anyhow::Result<()> {
    match wait {
        Wait::Poll | Wait::Busy => Ok(()),
        _ => bail!("--wait {wait:?} is for UDP sockets: on an --interface, use poll or busy"),
    }
}
