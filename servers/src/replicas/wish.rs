//! What a client asks of the API: more replicas, or fewer.
//!
//! A wish is checked as a whole, against the replicas that there are, before anything changes. The
//! checks come in the order in which the [refusals](Refusal) are listed; the first that fails is
//! the answer. It is the order of the API's specification; a check that this does not have stands
//! behind those that it has for the same field.

use std::collections::HashSet;
use std::fmt;

use rand::seq::IndexedRandom;
use serde_json::Value;
use wire::http1::StatusCode;

use super::admin::PAYLOAD_MAX;
use super::membership::View;
use super::name::Name;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// More.
    Add,
    /// Fewer.
    Remove,
}

/// So many more or fewer, some of them by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    change: Change,
    count: usize,
    names: Vec<String>,
}

/// Why a wish is not granted. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no content, or it does not say that it is JSON.
    Empty,
    /// It has more octets than that.
    TooLong(usize),
    /// It is not JSON: where, and why.
    Malformed(String),
    /// It is JSON of another shape.
    Misshapen(&'static str),
    /// Not even one.
    TooFew(Change),
    /// More are to go than there are.
    TooMany,
    /// More names than replicas.
    Names(Change),
    /// A name is there twice.
    Duplicates,
    /// There is room for so many more.
    Slots(usize),
    /// These are there already.
    Taken(Vec<String>),
    /// It can't be a name.
    NoName(String),
    /// These are not there.
    Unknown(Vec<String>),
    /// A new replica did not come up, so none of those asked for is in service.
    NotStarted(String),
    /// The balancer is about to end.
    Closing,
}

impl Refusal {
    /// The status of an answer that says so.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::TooLong(_) => StatusCode::CONTENT_TOO_LARGE,
            Self::NotStarted(_) | Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Payload is empty"),
            Self::TooLong(most) => write!(f, "Payload is longer than {most} octets"),
            Self::Malformed(words) => write!(f, "Payload is not JSON: {words}"),
            Self::Misshapen(words) => f.write_str(words),
            Self::TooFew(Change::Add) => {
                f.write_str("Number of servers to add must be greater than 0")
            }
            Self::TooFew(Change::Remove) => {
                f.write_str("Number of servers to delete must be greater than 0")
            }
            Self::TooMany => f.write_str(
                "Number of servers to delete must be less than or equal to number of replicas",
            ),
            Self::Names(Change::Add) => {
                f.write_str("Length of hostname list is more than newly added instances")
            }
            Self::Names(Change::Remove) => {
                f.write_str("Length of hostname list is more than removable instances")
            }
            Self::Duplicates => f.write_str("Hostname list contains duplicates"),
            Self::Slots(free) => write!(f, "Insufficient slots. Only {free} slots left"),
            Self::Taken(names) => {
                write!(f, "Hostnames `{}` are already in replicas", names.join(", "))
            }
            Self::NoName(name) => write!(
                f,
                "Hostname `{name}` is not 1 to 63 letters, digits, dots, hyphens or underscores"
            ),
            Self::Unknown(names) => {
                write!(f, "Hostnames `{}` are not in replicas", names.join(", "))
            }
            Self::NotStarted(words) => write!(f, "Servers did not start: {words}"),
            Self::Closing => f.write_str("The balancer is stopping"),
        }
    }
}

impl Wish {
    /// Reads the payload of a request: `{"n": 2, "hostnames": ["S4", "S5"]}`, the names optional.
    ///
    /// # Errors
    /// When it is not that, or asks for not even one.
    pub(crate) fn read(change: Change, payload: &[u8]) -> Result<Self, Refusal> {
        if payload.is_empty() {
            return Err(Refusal::Empty);
        }
        if payload.len() > PAYLOAD_MAX {
            return Err(Refusal::TooLong(PAYLOAD_MAX));
        }
        let value = serde_json::from_slice::<Value>(payload)
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        let Value::Object(fields) = value else {
            return Err(Refusal::Misshapen("Payload is not a JSON object"));
        };
        Ok(Self {
            change,
            count: count(change, fields.get("n"))?,
            names: names(fields.get("hostnames"))?,
        })
    }

    /// The names of those who shall join these.
    ///
    /// # Errors
    /// When there is no room for so many, or for one of the names.
    pub(crate) fn joining(&self, view: &View) -> Result<Vec<Name>, Refusal> {
        self.check_names()?;
        if self.count > view.free() {
            return Err(Refusal::Slots(view.free()));
        }
        let taken = self.names.iter().filter(|name| view.has(name)).cloned().collect::<Vec<_>>();
        if !taken.is_empty() {
            return Err(Refusal::Taken(taken));
        }
        let chosen =
            |text: &String| Name::chosen(text).ok_or_else(|| Refusal::NoName(text.clone()));
        let mut names = self.names.iter().map(chosen).collect::<Result<Vec<_>, _>>()?;
        let mut joining = names.iter().cloned().collect::<HashSet<_>>();
        while names.len() < self.count {
            let name = Name::random(|name| joining.contains(name) || view.has(name.as_str()));
            joining.insert(name.clone());
            names.push(name);
        }
        Ok(names)
    }

    /// The names of those who shall leave: those that are named, and others by chance.
    ///
    /// # Errors
    /// When there are not so many, or one of the named is not there.
    pub(crate) fn leaving(&self, view: &View) -> Result<Vec<Name>, Refusal> {
        if self.count > view.count() {
            return Err(Refusal::TooMany);
        }
        self.check_names()?;
        let unknown = self.names.iter().filter(|name| !view.has(name)).cloned().collect::<Vec<_>>();
        if !unknown.is_empty() {
            return Err(Refusal::Unknown(unknown));
        }
        let all = view.seats().map(|seat| seat.name.clone());
        let named = |name: &Name| self.names.iter().any(|text| text == name.as_str());
        let (mut leaving, others) = all.partition::<Vec<_>, _>(named);
        let more = self.count - leaving.len();
        leaving.extend(others.choose_multiple(&mut rand::rng(), more).cloned());
        Ok(leaving)
    }

    /// Whether there are no more names than replicas, and each of them once.
    fn check_names(&self) -> Result<(), Refusal> {
        if self.names.len() > self.count {
            return Err(Refusal::Names(self.change));
        }
        let mut seen = HashSet::new();
        let fresh = self.names.iter().all(|name| seen.insert(name));
        if fresh { Ok(()) } else { Err(Refusal::Duplicates) }
    }
}

/// None at all counts as zero.
fn count(change: Change, field: Option<&Value>) -> Result<usize, Refusal> {
    let number = field.map_or(Some(0.0), Value::as_f64).filter(|number| number.fract() == 0.0);
    let Some(number) = number else {
        return Err(Refusal::Misshapen("Number of servers is not a whole number"));
    };
    // Below 0 it is 0, and one that is too large for the machine is too large for any ring.
    match number as usize {
        0 => Err(Refusal::TooFew(change)),
        count => Ok(count),
    }
}

fn names(field: Option<&Value>) -> Result<Vec<String>, Refusal> {
    const WORDS: Refusal = Refusal::Misshapen("Hostnames are not a list of strings");
    match field {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(names)) => {
            let text = |name: &Value| name.as_str().map(str::to_owned).ok_or(WORDS);
            names.iter().map(text).collect()
        }
        Some(_) => Err(WORDS),
    }
}

#[cfg(test)]
mod tests {
    use super::super::membership::tests::view;
    use super::*;

    fn refused(change: Change, payload: &str) -> String {
        let wish = Wish::read(change, payload.as_bytes());
        let three = view("ring-modified", 3);
        let names = wish.and_then(|wish| match change {
            Change::Add => wish.joining(&three),
            Change::Remove => wish.leaving(&three),
        });
        names.unwrap_err().to_string()
    }

    fn granted(change: Change, payload: &str) -> Vec<String> {
        let wish = Wish::read(change, payload.as_bytes()).unwrap();
        let three = view("ring-modified", 3);
        let names = match change {
            Change::Add => wish.joining(&three),
            Change::Remove => wish.leaving(&three),
        };
        names.unwrap().iter().map(Name::to_string).collect()
    }

    #[test]
    fn every_refusal_of_more_has_its_words() {
        for (payload, words) in [
            ("", "Payload is empty"),
            ("{\"n\": 1", "Payload is not JSON: EOF while parsing an object at line 1 column 7"),
            ("[1]", "Payload is not a JSON object"),
            ("{}", "Number of servers to add must be greater than 0"),
            (r#"{"n": 0}"#, "Number of servers to add must be greater than 0"),
            (r#"{"n": -1}"#, "Number of servers to add must be greater than 0"),
            (r#"{"n": 1.5}"#, "Number of servers is not a whole number"),
            (r#"{"n": "1"}"#, "Number of servers is not a whole number"),
            (r#"{"n": 2, "hostnames": "a"}"#, "Hostnames are not a list of strings"),
            (r#"{"n": 2, "hostnames": ["a", 1]}"#, "Hostnames are not a list of strings"),
            (
                r#"{"n": 2, "hostnames": ["a", "b", "c"]}"#,
                "Length of hostname list is more than newly added instances",
            ),
            (r#"{"n": 2, "hostnames": ["a", "a"]}"#, "Hostname list contains duplicates"),
            (r#"{"n": 54}"#, "Insufficient slots. Only 53 slots left"),
            (r#"{"n": 18446744073709551615}"#, "Insufficient slots. Only 53 slots left"),
            (r#"{"n": 54.0}"#, "Insufficient slots. Only 53 slots left"),
            (r#"{"n": 1e100}"#, "Insufficient slots. Only 53 slots left"),
            (r#"{"n": -99999999999999999999}"#, "Number of servers to add must be greater than 0"),
            (
                r#"{"n": 2, "hostnames": ["Server-3", "Server-1"]}"#,
                "Hostnames `Server-3, Server-1` are already in replicas",
            ),
            (
                r#"{"n": 1, "hostnames": ["a/b"]}"#,
                "Hostname `a/b` is not 1 to 63 letters, digits, dots, hyphens or underscores",
            ),
        ] {
            assert_eq!(refused(Change::Add, payload), words, "{payload}");
        }
    }

    #[test]
    fn every_refusal_of_fewer_has_its_words() {
        for (payload, words) in [
            ("{}", "Number of servers to delete must be greater than 0"),
            (
                r#"{"n": 4}"#,
                "Number of servers to delete must be less than or equal to number of replicas",
            ),
            (
                r#"{"n": 1, "hostnames": ["Server-1", "Server-2"]}"#,
                "Length of hostname list is more than removable instances",
            ),
            (
                r#"{"n": 2, "hostnames": ["Server-1", "Server-1"]}"#,
                "Hostname list contains duplicates",
            ),
            (r#"{"n": 2, "hostnames": ["Server-1", "x"]}"#, "Hostnames `x` are not in replicas"),
        ] {
            assert_eq!(refused(Change::Remove, payload), words, "{payload}");
        }
    }

    /// Each of these breaks two rules: the one that comes first in the specification is told.
    #[test]
    fn of_two_broken_rules_the_first_one_is_told() {
        use Change::{Add, Remove};
        let five = r#""hostnames": ["a", "b", "c", "d", "e"]"#;
        let names = |names: &str| format!(r#""hostnames": [{names}]"#);
        let many = (0..55).map(|number| format!(r#""S-{number}""#)).collect::<Vec<_>>().join(",");
        for (change, payload, words) in [
            (Add, format!("{{\"n\": 0, {five}}}"), Refusal::TooFew(Add)),
            (Add, format!("{{\"n\": 0, {}}}", names("1")), Refusal::TooFew(Add)),
            (Add, format!("{{\"n\": 1, {}}}", names(r#""a", "a""#)), Refusal::Names(Add)),
            (Add, format!("{{\"n\": 54, {}}}", names(&many)), Refusal::Names(Add)),
            (Add, format!("{{\"n\": 54, {}}}", names(r#""a", "a""#)), Refusal::Duplicates),
            (Add, format!("{{\"n\": 2, {}}}", names(r#""S 1", "S 1""#)), Refusal::Duplicates),
            (Add, format!("{{\"n\": 54, {}}}", names(r#""Server-1""#)), Refusal::Slots(53)),
            (Add, format!("{{\"n\": 54, {}}}", names(r#""a/b""#)), Refusal::Slots(53)),
            (
                Add,
                format!("{{\"n\": 2, {}}}", names(r#""a/b", "Server-1""#)),
                Refusal::Taken(vec!["Server-1".into()]),
            ),
            (Remove, format!("{{\"n\": 0, {five}}}"), Refusal::TooFew(Remove)),
            (Remove, format!("{{\"n\": 4, {five}}}"), Refusal::TooMany),
            (Remove, format!("{{\"n\": 4, {}}}", names(r#""x", "x""#)), Refusal::TooMany),
            (Remove, format!("{{\"n\": 4, {}}}", names(r#""x""#)), Refusal::TooMany),
            (Remove, format!("{{\"n\": 2, {five}}}"), Refusal::Names(Remove)),
            (Remove, format!("{{\"n\": 1, {}}}", names(r#""x", "x""#)), Refusal::Names(Remove)),
            (Remove, format!("{{\"n\": 2, {}}}", names(r#""x", "x""#)), Refusal::Duplicates),
        ] {
            assert_eq!(refused(change, &payload), words.to_string(), "{change:?} {payload}");
        }
    }

    #[test]
    fn who_has_no_name_gets_one() {
        let names = granted(Change::Add, r#"{"n": 3, "hostnames": ["S5"]}"#);
        assert_eq!((names.len(), names[0].as_str()), (3, "S5"));
        for name in &names[1..] {
            let digits = name.strip_prefix("Server-").and_then(|rest| rest.split_once('-'));
            let (draw, clock) = digits.expect("two numbers");
            assert!(
                [draw, clock].iter().all(|part| part.len() == 3 && part.parse::<u16>().is_ok())
            );
        }
        assert_ne!(names[1], names[2]);
    }

    #[test]
    fn who_is_named_leaves_and_others_by_chance() {
        let mut drawn = HashSet::new();
        for _ in 0..200 {
            let names = granted(Change::Remove, r#"{"n": 2, "hostnames": ["Server-2"]}"#);
            assert_eq!((names.len(), names[0].as_str()), (2, "Server-2"));
            drawn.insert(names[1].clone());
        }
        assert_eq!(drawn.len(), 2, "each of the others at some time");
        assert_eq!(granted(Change::Remove, r#"{"n": 3}"#).len(), 3, "all of them may leave");
    }

    #[test]
    fn all_the_room_there_is_can_be_filled() {
        assert_eq!(granted(Change::Add, r#"{"n": 53}"#).len(), 53);
    }
}
