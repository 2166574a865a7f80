//! What a wait costs: measured by idle and by active descriptors, and fitted.
