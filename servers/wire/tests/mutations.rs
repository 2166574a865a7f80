//! No octets make a machine panic, loop, or depend on how they were cut.

mod conversation;
mod fixture;
mod mutant;
mod site;

use conversation::{WIDE, receive, serve};
use mutant::{Random, each_mutant};

/// Cuts `stream` in three.
fn cut<'a>(stream: &'a [u8], random: &mut Random) -> [&'a [u8]; 3] {
    let (head, rest) = stream.split_at(random.below(stream.len() + 1));
    let (middle, tail) = rest.split_at(random.below(rest.len() + 1));
    [head, middle, tail]
}

#[test]
fn any_request_is_answered_the_same_however_it_is_cut() {
    each_mutant(
        &fixture::requests(),
        250_000,
        |case| &mut case.client,
        |case, random| {
            let whole = serve(case, [&case.client[..]], WIDE);
            let pieces = cut(&case.client, random);
            assert_eq!(serve(case, pieces, WIDE), whole, "{}", case.client.escape_ascii());
        },
    );
}

#[test]
fn any_reply_is_read_the_same_however_it_is_cut() {
    each_mutant(
        &fixture::replies(),
        250_000,
        |case| &mut case.server,
        |case, random| {
            let whole = receive(case, [&case.server[..]]);
            let pieces = cut(&case.server, random);
            assert_eq!(receive(case, pieces), whole, "{}", case.server.escape_ascii());
        },
    );
}
