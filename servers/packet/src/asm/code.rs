//! A whole program: its jumps have distances, its maps are still names.

use super::assembler::Target;
use super::{Assembler, Instruction, Label};

/// A whole program. `Display` gives its listing.
#[derive(Clone, Debug)]
pub struct Code {
    pub(super) instructions: Vec<Instruction>,
    pub(super) targets: Vec<Target>,
    pub(super) notes: Vec<(usize, String)>,
    /// In which slot each instruction begins, and after the last one, how many slots there are.
    pub(super) slots: Vec<usize>,
}

impl Code {
    pub(super) fn new(assembler: Assembler) -> Self {
        let Assembler { instructions, targets, notes } = assembler;
        let mut slots = vec![0];
        slots.extend(instructions.iter().scan(0, |next, instruction| {
            *next += instruction.slots();
            Some(*next)
        }));
        let code = Self { instructions, targets, notes, slots };
        code.check();
        code
    }

    /// Finds a jump that can't be made when the program is written, not when it is loaded.
    fn check(&self) {
        for index in 0..self.instructions.len() {
            self.distance(index);
        }
    }

    /// How many slots of eight octets it has.
    pub fn len(&self) -> usize {
        self.slots.last().copied().unwrap_or(0)
    }

    /// Whether it has none, which the kernel would refuse.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    /// The names of the maps it needs, in the order of their first use.
    pub fn maps(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in self.instructions.iter().filter_map(Instruction::map) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The slots as the kernel takes them, with the descriptor that `map` gives for each name.
    ///
    /// # Errors
    /// What `map` says.
    pub fn encode<E>(
        &self,
        mut map: impl FnMut(&'static str) -> Result<i32, E>,
    ) -> Result<Vec<u64>, E> {
        let mut slots = Vec::with_capacity(self.len());
        for (index, instruction) in self.instructions.iter().enumerate() {
            let descriptor = instruction.map().map_or(Ok(0), &mut map)?;
            slots.extend(instruction.encode(self.distance(index), descriptor));
        }
        Ok(slots)
    }

    /// From the slot after an instruction to the target of its jump; 0 if it is none.
    fn distance(&self, index: usize) -> i16 {
        let (Instruction::Jump { to } | Instruction::JumpIf { to, .. }) = self.instructions[index]
        else {
            return 0;
        };
        let distance = self.slot_of(to) as isize - self.slots[index + 1] as isize;
        i16::try_from(distance).unwrap_or_else(|_| {
            panic!("{} is {distance} slots away, too far for one jump", self.name(to))
        })
    }

    fn slot_of(&self, label: Label) -> usize {
        let target = &self.targets[label.0];
        let Some(instruction) = target.instruction else {
            panic!("the label {} is bound nowhere", target.name);
        };
        self.slots[instruction]
    }

    /// A label's name. The second one of a name, as a part of a program that is written twice has,
    /// gets a 2.
    pub(super) fn name(&self, label: Label) -> String {
        let name = self.targets[label.0].name;
        match self.targets[..label.0].iter().filter(|earlier| earlier.name == name).count() {
            0 => name.to_owned(),
            before => format!("{name}_{}", before + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::{
        Assembler, Atomic, Code, Condition::*, Helper, Operation::*, Order, Register::*, Size::*,
    };

    type Write = fn(&mut Assembler);

    fn slots(write: impl FnOnce(&mut Assembler)) -> Vec<u64> {
        let mut assembler = Assembler::new();
        write(&mut assembler);
        let Ok(slots) = encode(&assembler.finish());
        slots
    }

    fn encode(code: &Code) -> Result<Vec<u64>, Infallible> {
        code.encode(|_| Ok(77))
    }

    /// Octets by the tables of RFC 9669, as numbers: the opcode is the lowest octet.
    #[test]
    fn instructions_have_the_octets_of_the_standard() {
        let cases: [(&str, u64, Write); 17] = [
            ("mov r3, -2", 0xffff_fffe_0000_03b7, |a| a.mov(R3, -2)),
            ("mov32 r3, r4", 0x0000_0000_0000_43bc, |a| a.mov32(R3, R4)),
            ("add r1, r2", 0x0000_0000_0000_210f, |a| a.add(R1, R2)),
            ("sub r1, 5", 0x0000_0005_0000_0117, |a| a.sub(R1, 5)),
            ("r9 &= 7", 0x0000_0007_0000_0957, |a| a.and(R9, 7)),
            ("r9 %= 7 (32)", 0x0000_0007_0000_0994, |a| a.alu32(Modulo, R9, 7)),
            ("shl", 0x0000_0020_0000_0567, |a| a.shl(R5, 32)),
            ("shr", 0x0000_0010_0000_0577, |a| a.shr(R5, 16)),
            ("be16 r2", 0x0000_0010_0000_02dc, |a| a.swap(Order::Big, 16, R2)),
            ("le32 r2", 0x0000_0020_0000_02d4, |a| a.swap(Order::Little, 32, R2)),
            ("ldxh", 0x0000_0000_000c_6169, |a| a.load(Half, R1, R6.at(12))),
            ("ldxdw", 0x0000_0000_fff8_a079, |a| a.load(Double, R0, R10.at(-8))),
            ("stxb", 0x0000_0000_0001_2173, |a| a.store(Byte, R1.at(1), R2)),
            ("stw", 0x0000_0009_0004_0162, |a| a.store(Word, R1.at(4), 9)),
            ("fetch add", 0x0000_0001_0000_21db, |a| {
                a.atomic(Double, Atomic::FetchAdd, R1.at(0), R2);
            }),
            ("call", 0x0000_0001_0000_0085, |a| a.call(Helper::MapLookup)),
            ("exit", 0x0000_0000_0000_0095, Assembler::exit),
        ];
        for (name, expected, write) in cases {
            assert_eq!(slots(write), [expected], "{name}");
        }
    }

    #[test]
    fn a_jump_counts_slots_from_the_next_one_and_a_map_takes_two() {
        let slots = slots(|a| {
            let (again, out) = (a.here("again"), a.label("out"));
            a.jump_if(R1, Equal, 0, out);
            a.map(R2, "things");
            a.wide(R3, 0x1234_5678_9abc_def0);
            a.jump(again);
            a.bind(out);
            a.exit();
        });
        assert_eq!(slots[0], 0x0000_0000_0005_0115, "over five slots");
        assert_eq!(slots[1..3], [0x0000_004d_0000_1218, 0], "descriptor 77, marked as a map");
        assert_eq!(slots[3..5], [0x9abc_def0_0000_0318, 0x1234_5678_0000_0000]);
        assert_eq!(slots[5], 0x0000_0000_fffa_0005, "back by six");
    }

    #[test]
    #[should_panic(expected = "lost is bound nowhere")]
    fn a_label_without_a_place_is_found_when_the_program_is_written() {
        slots(|a| {
            let lost = a.label("lost");
            a.jump(lost);
        });
    }

    #[test]
    #[should_panic(expected = "too far")]
    fn a_jump_that_is_too_far_is_found_when_the_program_is_written() {
        slots(|a| {
            let far = a.label("far");
            a.jump(far);
            (0..40_000).for_each(|_| a.mov(R0, 0));
            a.bind(far);
        });
    }

    #[test]
    fn two_labels_of_one_name_can_be_told_apart() {
        let mut a = Assembler::new();
        for _ in 0..2 {
            let again = a.here("again");
            a.jump_if(R1, Above, 4096, again);
        }
        let expected = "again:\n\
            \u{20}  0  if r1 > 0x1000 goto again\n\
            again_2:\n\
            \u{20}  1  if r1 > 0x1000 goto again_2\n";
        assert_eq!(a.finish().to_string(), expected);
    }

    #[test]
    fn the_listing_has_notes_labels_and_slots() {
        let mut a = Assembler::new();
        let out = a.label("out");
        a.note("Whatever there is.");
        a.map(R1, "things");
        a.jump32_if(R2, AnyBit, R3, out);
        a.atomic(Double, Atomic::CompareExchange, R1.at(8), R2);
        a.bind(out);
        a.exit();
        let expected = "; Whatever there is.\n\
            \u{20}  0  r1 = map things\n\
            \u{20}  2  if w2 & w3 goto out\n\
            \u{20}  3  r0 = compare_exchange((u64 *)(r1 + 8), r0, r2)\n\
            out:\n\
            \u{20}  4  exit\n";
        assert_eq!(a.finish().to_string(), expected);
    }
}
