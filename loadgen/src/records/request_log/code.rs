//! Records as octets: differences, zigzag, LEB128.

use super::record::{Outcome, Record};
use crate::fault::Fault;

/// The octets of a record, at most: one for the outcome, and four numbers of up to ten.
pub(super) const LONGEST: usize = 1 + 4 * 10;

const ANSWERED: u8 = 0;
const LOST: u8 = 1;
const NEVER_SENT: u8 = 2;
/// The first of the classes of errors, which follow in the order of [`FAULTS`].
const FAILED: u8 = 3;

/// The classes of errors by their number in a log: new ones come last.
const FAULTS: [Fault; 9] = [
    Fault::Connect,
    Fault::Read,
    Fault::Write,
    Fault::Reset,
    Fault::Closed,
    Fault::Timeout,
    Fault::Status,
    Fault::Mismatch,
    Fault::Mispaired,
];

/// What the next record is told apart from: the one before it in the same frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    planned: i64,
    connection: u32,
}

impl Before {
    /// Appends a record to a frame.
    #[inline]
    pub(super) fn encode(&mut self, record: &Record, frame: &mut Vec<u8>) {
        frame.push(number(record.outcome));
        put(frame, record.planned.wrapping_sub(self.planned));
        put(frame, i64::from(record.connection) - i64::from(self.connection));
        if let Some(sent) = record.sent() {
            put(frame, sent.wrapping_sub(record.planned));
            if let Some(ended) = record.ended() {
                put(frame, ended.wrapping_sub(sent));
            }
        }
        *self = Self { planned: record.planned, connection: record.connection };
    }

    /// Takes the next record off a frame; none if the octets are no record.
    pub(super) fn decode(&mut self, frame: &mut &[u8]) -> Option<Record> {
        let (&number, rest) = frame.split_first()?;
        *frame = rest;
        let planned = self.planned.wrapping_add(take(frame)?);
        let connection = i64::from(self.connection).checked_add(take(frame)?)?;
        let connection = u32::try_from(connection).ok()?;
        let outcome = outcome(number, planned, frame)?;
        *self = Self { planned, connection };
        Some(Record { planned, connection, outcome })
    }
}

#[inline]
fn number(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Answered { .. } => ANSWERED,
        Outcome::Lost { .. } => LOST,
        Outcome::NeverSent => NEVER_SENT,
        Outcome::Failed { fault, .. } => FAILED + place(fault),
    }
}

fn place(fault: Fault) -> u8 {
    let place = FAULTS.iter().position(|&known| known == fault);
    place.expect("every class is listed") as u8
}

fn outcome(number: u8, planned: i64, frame: &mut &[u8]) -> Option<Outcome> {
    if number == NEVER_SENT {
        return Some(Outcome::NeverSent);
    }
    let sent = planned.wrapping_add(take(frame)?);
    if number == LOST {
        return Some(Outcome::Lost { sent });
    }
    let ended = sent.wrapping_add(take(frame)?);
    if number == ANSWERED {
        return Some(Outcome::Answered { sent, ended });
    }
    let fault = *FAULTS.get(usize::from(number - FAILED))?;
    Some(Outcome::Failed { fault, sent, ended })
}

/// Zigzag puts the sign into the lowest bit, so that small negative numbers stay short; LEB128
/// takes seven bits an octet, the lowest first.
#[inline]
fn put(frame: &mut Vec<u8>, number: i64) {
    let mut rest = (number.wrapping_shl(1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        frame.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    frame.push(rest as u8);
}

fn take(frame: &mut &[u8]) -> Option<i64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&octet, rest) = frame.split_first()?;
        *frame = rest;
        number |= u64::from(octet & 0x7F) << shift;
        if octet < 0x80 {
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let edges = [0, 1, -1, 63, 64, -64, -65, 1 << 40, i64::MAX, i64::MIN, i64::MIN + 1];
        let mut octets = Vec::new();
        edges.iter().for_each(|&number| put(&mut octets, number));
        let mut rest = &octets[..];
        let read: Vec<_> = std::iter::from_fn(|| take(&mut rest)).collect();
        assert_eq!((read.as_slice(), rest), (&edges[..], &[][..]));
    }

    #[test]
    fn a_number_without_an_end_is_none() {
        assert_eq!(take(&mut &[0xFF; 40][..]), None);
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[][..]), None);
    }

    #[test]
    fn every_outcome_comes_back() {
        let failed = |fault| Outcome::Failed { fault, sent: 7, ended: -9 };
        let others = [
            Outcome::Answered { sent: i64::MIN, ended: i64::MAX },
            Outcome::Lost { sent: 1_000_000 },
            Outcome::NeverSent,
        ];
        let (mut before, mut octets) = (Before::default(), Vec::new());
        let records: Vec<_> = (others.into_iter().chain(FAULTS.map(failed)))
            .zip([0, u32::MAX, 5].into_iter().cycle())
            .map(|(outcome, connection)| Record { planned: -5, connection, outcome })
            .collect();
        records.iter().for_each(|record| before.encode(record, &mut octets));
        let (mut before, mut rest) = (Before::default(), &octets[..]);
        let read: Vec<_> = std::iter::from_fn(|| before.decode(&mut rest)).collect();
        assert_eq!((read, rest.len()), (records, 0));
    }

    #[test]
    fn a_usual_record_takes_at_most_fourteen_octets() {
        let (mut before, mut octets) = (Before::default(), Vec::new());
        for n in 1..=1000 {
            let (planned, sent) = (n * 100_000, n * 100_000 + 12_000);
            let outcome = Outcome::Answered { sent, ended: sent + 90_000 + n };
            let connection = (n as u32 * 7919) % 1000;
            before.encode(&Record { planned, connection, outcome }, &mut octets);
        }
        assert!((8000..14_000).contains(&octets.len()), "{}", octets.len());
    }
}
