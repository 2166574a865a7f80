//! The memory for frames: one piece, cut into frames of the same size.

use std::io;

use crate::mapping::Mapping;

/// How long a frame may be with the room before it: half a page, as the kernel wants it.
pub const FRAME: u32 = 2_048;

/// How many frames there are.
pub const FRAMES: u32 = 4_096;

/// The memory for frames.
#[derive(Debug)]
pub struct Umem(Mapping);

impl Umem {
    /// All frames.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn new() -> io::Result<Self> {
        Mapping::anonymous(FRAME as usize * FRAMES as usize).map(Self)
    }

    /// What to tell the kernel of it.
    #[must_use]
    pub fn registration(&self) -> Option<libc::xdp_umem_reg> {
        Some(libc::xdp_umem_reg {
            addr: self.0.at::<u8>(0, 1)?.as_ptr() as u64,
            len: self.0.octets() as u64,
            chunk_size: FRAME,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        })
    }

    /// Where each frame begins.
    pub fn frames() -> impl Iterator<Item = u64> {
        (0..FRAMES).map(|frame| u64::from(frame) * u64::from(FRAME))
    }

    /// Where the frame begins that this address is in.
    #[must_use]
    pub fn begin(address: u64) -> u64 {
        address - address % u64::from(FRAME)
    }

    /// The octets of a frame, from `address` on. `None` if they go beyond the frame, which the
    /// kernel should never say.
    ///
    /// # Safety
    /// The frame must be ours: in the rx ring and not yet given back.
    pub unsafe fn octets(&mut self, address: u64, length: u32) -> Option<&mut [u8]> {
        let end = address.checked_add(length.into())?;
        if end > Self::begin(address) + u64::from(FRAME) {
            return None;
        }
        let start = self.0.at::<u8>(address as usize, length as usize)?;
        // SAFETY: they are inside of the mapping, and the caller says that nobody else uses them.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), length as usize) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_octets_are_outside_of_their_frame() {
        let mut umem = Umem::new().unwrap();
        let last = Umem::frames().last().unwrap();
        let mut length_of = |address, length| {
            // SAFETY: the kernel does not know of this memory.
            unsafe { umem.octets(address, length) }.map(|octets| octets.len())
        };
        assert_eq!(length_of(0, FRAME), Some(2_048));
        assert_eq!(length_of(last + 256, FRAME - 256), Some(1_792));
        assert_eq!(length_of(256, FRAME), None);
        assert_eq!(length_of(last + u64::from(FRAME), 1), None);
        assert_eq!(length_of(u64::MAX, 1), None);
    }

    #[test]
    fn an_address_in_a_frame_belongs_to_it() {
        assert_eq!([0, 255, 2_047, 2_048, 2_304].map(Umem::begin), [0, 0, 0, 2_048, 2_048]);
    }
}
