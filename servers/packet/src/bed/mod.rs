//! A test bed: namespaces, veth pairs, and their removal.
