//! Frames for the filter: well-formed ones of every make, and then cut, bent and padded. Always the
//! same ones for the same seed.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Makes frames.
pub(crate) struct Maker(SmallRng);

/// Where something that says a length is, in a frame.
type Lengths = Vec<usize>;

impl Maker {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// A frame that may be anything.
    pub(crate) fn any(&mut self, port: u16) -> Vec<u8> {
        let (mut frame, lengths) = self.with_lengths(port);
        match self.0.random_range(0..10) {
            0 | 1 => frame.truncate(self.0.random_range(14..=frame.len())),
            2 => frame.extend(vec![0xee; self.0.random_range(1..30)]),
            3 | 4 => self.bend_length(&mut frame, &lengths),
            5 => self.bend_anything(&mut frame),
            6 => self.0.fill(&mut frame[12..]),
            _ => {}
        }
        frame
    }

    /// A frame with nothing wrong, to `port` in most cases.
    pub(crate) fn well_formed(&mut self, port: u16) -> Vec<u8> {
        self.with_lengths(port).0
    }

    fn with_lengths(&mut self, port: u16) -> (Vec<u8>, Lengths) {
        let port = if self.one_in(6) { self.0.random() } else { port };
        let (protocol, segment) =
            if self.0.random() { (17, self.udp(port)) } else { (6, self.tcp(port)) };
        let mut frame: Vec<u8> = (0..12).collect();
        for _ in 0..[0, 0, 0, 1, 2, 3][self.0.random_range(0..6)] {
            frame.extend([[0x81, 0x00], [0x88, 0xa8]][self.0.random_range(0..2)]);
            frame.extend([0, 7]);
        }
        let (kind, packet) = match self.0.random_range(0..20) {
            0 => ([0x08, 0x06], segment),
            1..10 => ([0x08, 0x00], self.version_4(protocol, &segment)),
            _ => ([0x86, 0xdd], self.version_6(protocol, &segment)),
        };
        frame.extend(kind);
        let at = frame.len();
        frame.extend(packet);
        // The first word of IP and the words that say lengths, from both ends.
        let end = frame.len();
        let places = [at, at + 2, at + 4, at + 6, at + 41, end.saturating_sub(16)];
        (frame, places.into())
    }

    fn udp(&mut self, port: u16) -> Vec<u8> {
        let payload = self.octets(0..12);
        let length = match self.0.random_range(0..12) {
            0 => 0,
            1 => self.0.random_range(0..40),
            _ => 8 + payload.len() as u16,
        };
        let header = [1000, port, length, 0].map(u16::to_be_bytes).concat();
        [header, payload].concat()
    }

    fn tcp(&mut self, port: u16) -> Vec<u8> {
        let (options, data) = (self.0.random_range(0..4) * 4, self.octets(0..4));
        let flags = if self.one_in(8) { 0x02 } else { 0x18 };
        let mut segment = [1000, port].map(u16::to_be_bytes).concat();
        segment.extend(self.0.random::<[u8; 8]>());
        segment.extend([(5 + options / 4) << 4, flags, 0, 0, 0, 0, 0, 0]);
        segment.extend(vec![1; options.into()]);
        [segment, data].concat()
    }

    fn version_4(&mut self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        let options: u8 = if self.one_in(3) { self.0.random_range(1..=10) } else { 0 };
        let fragment: u16 = match self.0.random_range(0..10) {
            0 => 0x2000,
            1 => self.0.random_range(1..0x4000),
            _ => 0x4000,
        };
        let length = 20 + options * 4;
        let total = u16::from(length) + segment.len() as u16;
        let mut packet = vec![0x40 | (length / 4), 0];
        packet.extend([total, 0, fragment].map(u16::to_be_bytes).concat());
        packet.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(vec![1; usize::from(length) - 20]);
        packet.extend(segment);
        packet
    }

    fn version_6(&mut self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        let headers = [0, 0, 0, 1, 2, 3, 8, 9][self.0.random_range(0..8)];
        let kinds: Vec<u8> = (0..headers).map(|_| self.extension_kind()).collect();
        let next = kinds.iter().copied().skip(1).chain([protocol]);
        let extensions: Vec<u8> =
            kinds.iter().zip(next).flat_map(|(kind, next)| self.extension(*kind, next)).collect();
        let all = (extensions.len() + segment.len()) as u16;
        let unsaid = kinds.first() == Some(&0) && self.one_in(4);
        let length = if unsaid { 0 } else { all };
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([kinds.first().copied().unwrap_or(protocol), 64]);
        packet.extend([0xfd; 32]);
        [&packet[..], &extensions, segment].concat()
    }

    fn extension_kind(&mut self) -> u8 {
        [0, 43, 60, 60, 44][self.0.random_range(0..5)]
    }

    fn extension(&mut self, kind: u8, next: u8) -> Vec<u8> {
        if kind == 44 {
            let word: u16 = match self.0.random_range(0..4) {
                0 => 1,
                1 => self.0.random(),
                _ => 0,
            };
            return [&[next, 0][..], &word.to_be_bytes(), &[0; 4]].concat();
        }
        let units: u8 = self.0.random_range(0..3);
        let mut header = vec![next, units];
        header.resize((usize::from(units) + 1) * 8, 1);
        header
    }

    fn bend_length(&mut self, frame: &mut [u8], lengths: &Lengths) {
        let place = lengths[self.0.random_range(0..lengths.len())];
        if let Some(octets) = frame.get_mut(place..place + 2) {
            let value = if self.0.random() { self.0.random() } else { self.0.random_range(0..80) };
            octets.copy_from_slice(&u16::to_be_bytes(value));
        }
    }

    fn bend_anything(&mut self, frame: &mut [u8]) {
        for _ in 0..self.0.random_range(1..5) {
            let place = self.0.random_range(12..frame.len());
            frame[place] ^= 1 << self.0.random_range(0..8);
        }
    }

    fn octets(&mut self, range: std::ops::Range<usize>) -> Vec<u8> {
        let length = self.0.random_range(range);
        (0..length).map(|_| self.0.random()).collect()
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.0.random_ratio(1, times)
    }
}
