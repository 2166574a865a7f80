//! An assembler for eBPF: labels, named registers, and comments that stay with the instructions.
