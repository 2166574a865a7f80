//! What is put under load: `tcp://HOST:PORT` or `http://HOST[:PORT][/PATH]`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::str::FromStr;

use nix::net::if_::if_nametoindex;

/// The protocol spoken to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Echo over TCP (RFC 862).
    Tcp,
    /// HTTP/1.1 (RFC 9112).
    Http,
}

/// A target whose name has been resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it was given.
    pub given: String,
    /// The protocol.
    pub scheme: Scheme,
    /// Where to connect to: the first address that the name has.
    pub address: SocketAddr,
    /// The value of the Host field: host and port, without an IPv6 zone, which means nothing to the
    /// other side (RFC 6874, section 1).
    pub host: String,
    /// The path and query of the request line; `/` if none was given.
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (scheme, rest) = split_scheme(given)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if scheme == Scheme::Tcp && !path.is_empty() {
            return Err(format!("{given}: a tcp target has no path"));
        }
        if !path.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(format!("{given}: percent-encode what is not visible ASCII in the path"));
        }
        let address = resolve(authority, scheme).map_err(|why| format!("{given}: {why}"))?;
        let path = if path.is_empty() { "/" } else { path };
        let host = without_zone(authority);
        Ok(Self { given: given.to_owned(), scheme, address, host, path: path.to_owned() })
    }
}

fn split_scheme(given: &str) -> Result<(Scheme, &str), String> {
    if let Some(rest) = given.strip_prefix("tcp://") {
        Ok((Scheme::Tcp, rest))
    } else if let Some(rest) = given.strip_prefix("http://") {
        Ok((Scheme::Http, rest))
    } else {
        Err(format!("{given}: a target begins with tcp:// or http://"))
    }
}

fn resolve(authority: &str, scheme: Scheme) -> Result<SocketAddr, String> {
    let (host, port) = split_port(authority, scheme)?;
    if let Some(literal) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return scoped(literal, port);
    }
    let mut found = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    found.next().ok_or_else(|| format!("{host} has no address"))
}

fn split_port(authority: &str, scheme: Scheme) -> Result<(&str, u16), String> {
    let colon = authority.rfind(':').filter(|&at| !authority[at..].contains(']'));
    match (colon, scheme) {
        (Some(at), _) => {
            let port = authority[at + 1..].parse().map_err(|_| "the port is not in 1…65535")?;
            Ok((&authority[..at], port))
        }
        (None, Scheme::Http) => Ok((authority, 80)),
        (None, Scheme::Tcp) => Err("a tcp target needs a port: tcp://HOST:PORT".to_owned()),
    }
}

/// An IPv6 literal, with the name or the number of an interface behind `%` where it needs one.
fn scoped(literal: &str, port: u16) -> Result<SocketAddr, String> {
    let (address, zone) = literal.split_once('%').unwrap_or((literal, "0"));
    let address: Ipv6Addr =
        address.parse().map_err(|_| format!("{address} is not an IPv6 address"))?;
    let scope = match zone.parse() {
        Ok(number) => number,
        Err(_) => if_nametoindex(zone).map_err(|error| format!("interface {zone}: {error}"))?,
    };
    Ok(SocketAddr::V6(SocketAddrV6::new(address, port, 0, scope)))
}

fn without_zone(authority: &str) -> String {
    match (authority.find('%'), authority.find(']')) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{}", &authority[..from], &authority[to..])
        }
        _ => authority.to_owned(),
    }
}

impl Target {
    /// Whether it is an IPv4 loopback address, for which any 127.x.y.z can be a source.
    #[must_use]
    pub fn is_ipv4_loopback(&self) -> bool {
        matches!(self.address.ip(), IpAddr::V4(ip) if ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(given: &str) -> Target {
        given.parse().expect("a target")
    }

    #[test]
    fn reads_both_schemes() {
        let echo = target("tcp://127.0.0.1:7000");
        assert_eq!(
            (echo.scheme, echo.address.to_string().as_str()),
            (Scheme::Tcp, "127.0.0.1:7000")
        );
        let http = target("http://127.0.0.1/work/5?x=1");
        assert_eq!((http.address.port(), http.path.as_str()), (80, "/work/5?x=1"));
        assert_eq!(target("http://127.0.0.1:81").path, "/");
    }

    #[test]
    fn reads_ipv6_with_a_scope() {
        let target = target("http://[fe80::1%lo]:8080/a");
        assert_eq!(target.host, "[fe80::1]:8080");
        assert!(matches!(target.address, SocketAddr::V6(a) if a.scope_id() == 1));
        assert_eq!("tcp://[::1]:7".parse::<Target>().expect("a target").address.port(), 7);
    }

    #[test]
    fn resolves_names() {
        assert!(target("tcp://localhost:7").address.ip().is_loopback());
    }

    #[test]
    fn says_what_is_wrong() {
        for (given, hint) in [
            ("127.0.0.1:80", "tcp://"),
            ("tcp://127.0.0.1", "needs a port"),
            ("tcp://127.0.0.1:99999", "port"),
            ("tcp://127.0.0.1:7/x", "no path"),
            ("http://127.0.0.1/a b", "percent-encode"),
            ("tcp://[zz]:7", "not an IPv6"),
            ("tcp://[fe80::1%nosuch0]:7", "nosuch0"),
        ] {
            let error = given.parse::<Target>().expect_err(given);
            assert!(error.contains(hint), "{given}: {error}");
        }
    }
}
