//! The kernel's objects, dealt out to those who hold them.

use std::collections::BTreeMap;

use super::account::Added;
use super::holder::{Kind, kind};

/// The objects of the kernel, dealt out, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) server_sockets: i64,
    pub(super) server_epoll: i64,
    pub(super) client: i64,
    pub(super) threads: i64,
    pub(super) mappings: i64,
    pub(super) other: i64,
    pub(super) slack: i64,
    pub(super) files: i64,
}

impl Shares {
    pub(super) fn of(
        objects: &BTreeMap<String, Added>,
        connections: u64,
        wait_entries: Option<&str>,
    ) -> Self {
        let count = |name| objects.get(name).map_or(0, |added: &Added| added.objects.max(0));
        let sockets = sockets(objects).max(0);
        // Of a mapping with memory there is one anon_vma, and one link to it in the shared slabs.
        let watched = match wait_entries {
            Some(shared) => (count(shared) - count("anon_vma")).max(0),
            None => count("eventpoll_pwq"),
        };
        let mut shares = Self::default();
        for (name, added) in objects {
            let shared = kind(name) == Kind::Ports || Some(name.as_str()) == wait_entries;
            let (entries, rest) = added.split(if shared { watched } else { 0 });
            shares.deal(Kind::Watched, &entries, sockets, connections as i64);
            shares.deal(kind(name), &rest, sockets, connections as i64);
        }
        shares
    }

    fn deal(&mut self, kind: Kind, added: &Added, sockets: i64, connections: i64) {
        let size = added.object_octets as i64;
        let used = added.objects * size;
        match kind {
            Kind::Files => return self.files += added.octets,
            Kind::Inodes => return self.inodes(added, sockets),
            Kind::BothEnds => self.halves(used),
            Kind::Watched => {
                let client = added.objects.clamp(0, connections) * size;
                self.client += client;
                self.server_epoll += used - client;
            }
            Kind::Ports => self.client += used,
            Kind::Thread => self.threads += used,
            Kind::Mapping => self.mappings += used,
            Kind::Other => self.other += used,
        }
        self.slack += added.octets - used;
    }

    /// Each socket has an inode and a name; further ones belong to files.
    fn inodes(&mut self, added: &Added, sockets: i64) {
        let used = sockets.min(added.objects.max(0)) * added.object_octets as i64;
        let of_sockets = added.octets.clamp(0, used);
        self.halves(of_sockets);
        self.files += added.octets - of_sockets;
    }

    fn halves(&mut self, octets: i64) {
        self.server_sockets += octets / 2;
        self.client += octets - octets / 2;
    }
}

/// How many sockets were added.
pub(super) fn sockets(objects: &BTreeMap<String, Added>) -> i64 {
    objects.get("sock_inode_cache").map_or(0, |added| added.objects)
}
