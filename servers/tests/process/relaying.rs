//! Relays in every model and by every way of carrying that this host has.

use super::{Server, models};

/// The ways of carrying that this host has. Those it has not are named, aloud.
pub(crate) fn ways() -> impl Iterator<Item = &'static str> {
    ["copy", "splice", "sockmap"].into_iter().filter(|way| has_way(way))
}

pub(crate) fn relay(model: &str, way: &str, backends: &[String]) -> Server {
    relay_with(&[], model, way, backends)
}

pub(crate) fn relay_with(flags: &[&str], model: &str, way: &str, backends: &[String]) -> Server {
    let mut flags = [&["--relay-by", way], flags].concat();
    for backend in backends {
        flags.extend(["--backend", backend]);
    }
    Server::start(model, "relay", &flags)
}

/// Does it for each model and each way of carrying.
pub(crate) fn everywhere(test: impl Fn(&str, &str)) {
    for model in models() {
        for way in ways() {
            println!("{} by {way}", model.name);
            test(model.name, way);
        }
    }
}

fn has_way(way: &str) -> bool {
    let missing = packet::bpf::missing().filter(|_| way == "sockmap");
    missing.inspect(|missing| eprintln!("SKIPPED {way}: {missing}")).is_none()
}
